using System.Collections.Immutable;

namespace Serving.Model.Types;

/// <summary>OLMo 2 (arXiv 2501.00656): norms on what blocks give, not on what they read; one norm over all query heads and one over all key heads.</summary>
public sealed class Olmo2 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["olmo2"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source) => source.Decoder(layer =>
    [
        source.Attention(layer) with { Before = null, After = source.Norm($"{source.Prefix(layer)}post_attention_layernorm") },
        source.FeedForward(layer) with { Before = null, After = source.Norm($"{source.Prefix(layer)}post_feedforward_layernorm") },
    ]);
}
