using System.Collections.Immutable;

namespace Serving.Model.Types;

/// <summary>The text part of Step-3 (arXiv 2507.19427) where all layers are dense.</summary>
public sealed class Step3 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["step3_text"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        // Absent, it means experts in every layer but the first.
        if (source.Config.TextOrNull("moe_layers_enum") is var experts and not "")
            throw source.Config.Wrong("moe_layers_enum", experts is null ? "missing" : $"\"{experts}\"", "\"\": layers with experts are not served yet");
        source.Config.Ignore("max_position_embedding", "moe_num_experts", "moe_top_k", "moe_intermediate_size", "share_expert_dim", "norm_expert_weight");
        return source.Decoder(layer => [source.Attention(layer), source.FeedForward(layer)]);
    }
}
