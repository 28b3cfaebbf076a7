using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>Mixtral (arXiv 2401.04088): experts by softmax over the chosen in every layer; w1, w3 and w2 are gate, up and down.</summary>
public sealed class Mixtral : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["mixtral"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source) =>
        source.Decoder(layer => [source.Attention(layer), source.FeedForward(layer, Experts(source, layer))]);

    static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, prefix, hidden) = (source.Config, $"{source.Prefix(layer)}block_sparse_moe.", source.HiddenSize);
        var width = config.Int("intermediate_size");
        Step.Linear Part(string name, int outputs, int inputs) => new($"{prefix}experts.{{0}}.{name}.weight", outputs, inputs);
        var rule = new RoutingRule(config.Int("num_experts"), config.Int("num_experts_per_tok"), RouterScore.SoftmaxOfChosen);
        var expert = new DenseFeedForward(Part("w1", width, hidden), Part("w3", width, hidden), Part("w2", hidden, width), source.Activation);
        return new(source.Linear($"{prefix}gate", rule.Experts, hidden), rule, expert) { Experts = rule.Experts };
    }
}
