using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>gpt-oss (arXiv 2508.10925): a sink a head, windows in every second layer, experts with biases and bounded gates by softmax over the chosen.</summary>
public sealed class GptOss : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["gpt_oss"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        // Said twice in published files, or not used by the published implementation.
        source.Config.Ignore("hidden_act", "experts_per_token", "initial_context_length");
        return source.Decoder(layer => [source.Attention(layer), source.FeedForward(layer, Experts(source, layer))]);
    }

    static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, prefix, hidden) = (source.Config, $"{source.Prefix(layer)}mlp.", source.HiddenSize);
        var width = config.Int("intermediate_size");
        var rule = new RoutingRule(config.Int("num_experts"), config.Int("num_experts_per_tok"), RouterScore.SoftmaxOfChosen);
        var limit = config.Float("swiglu_limit", 7);
        var act = new GateRule(Activation.Silu, Sharpness: config.Float("swiglu_alpha", 1.702f), GateLimit: limit, UpLimit: limit, UpOffset: 1);
        var router = source.Linear($"{prefix}router", rule.Experts, hidden);
        // GGUF files hold three stacks.
        if (source.Tensors.Has($"{prefix}experts.gate_proj.weight"))
            return new(router, rule, source.Dense($"{prefix}experts.", width) with { Activation = act }) { Experts = rule.Experts };
        // Even rows are gates, odd ones what they gate; packed files hold rows, others columns.
        var packed = source.Tensors.Has($"{prefix}experts.gate_up_proj.weight");
        Step.Linear Stack(string name, int outputs, int inputs) => new(packed ? $"{prefix}experts.{name}.weight" : $"{prefix}experts.{name}", outputs, inputs)
        {
            Transposed = !packed,
            Bias = $"{prefix}experts.{name}_bias",
        };
        var gate = Stack("gate_up_proj", width, hidden) with { Of = 2 * width, Parts = width };
        var down = Stack("down_proj", hidden, width);
        return new(router, rule, new DenseFeedForward(gate, gate with { First = 1 }, down, act))
        {
            Experts = rule.Experts,
        };
    }
}
