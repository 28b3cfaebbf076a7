using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>Hunyuan V1, dense or with experts: query and key heads are normed after they turn; each layer may choose a number of experts of its own.</summary>
public sealed class Hunyuan : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["hunyuan", "hunyuan_v1_dense", "hunyuan_v1_moe"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var experts = source.Config.ModelType == "hunyuan_v1_moe";
        return source.Decoder(layer =>
        [
            source.Attention(layer, a => a with { NormsAfterTurn = true }),
            experts ? source.FeedForward(layer, Experts(source, layer)) : source.FeedForward(layer),
        ]);
    }

    static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, prefix) = (source.Config, $"{source.Prefix(layer)}mlp.");
        var width = Of(config, "intermediate_size", layer);
        var rule = new RoutingRule(Of(config, "num_experts", layer), Of(config, "moe_topk", layer), RouterScore.Softmax) { Renormalize = true };
        return new(source.Linear($"{prefix}gate.wg", rule.Experts, source.HiddenSize), rule, source.Dense($"{prefix}experts.{{0}}.", width))
        {
            Experts = rule.Experts,
            Shared = source.Dense($"{prefix}shared_mlp.", width),
        };
    }

    // One number for all layers, or a list with one for each.
    static int Of(ModelConfig config, string key, int layer)
    {
        if (!config.IsList(key)) return config.Int(key);
        var values = config.Ints(key)!;
        return layer < values.Length ? values[layer] : throw config.Wrong(key, $"a list of {values.Length}", $"a number for layer {layer}");
    }
}
