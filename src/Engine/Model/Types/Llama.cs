using System.Collections.Immutable;
using Serving.Attention.Families;

namespace Serving.Model.Types;

/// <summary>
/// Llama, and the types that differ from it only in what the tensors and the configuration say anyway: Mistral (sliding windows),
/// Qwen2 (biases on q, k and v), Qwen3 (a norm on every query and key head), and types named after their attention alone.
/// </summary>
public sealed class Llama : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["llama", "mistral", "qwen2", "qwen3", .. AttentionFamilies.ModelTypes];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source) => source.Tensors.Has(RxLm.Embedding) ? RxLm.Plan(source) : source.Decoder(layer =>
        [source.Attention(layer, source.Config.Has("qk_rope_head_dim") ? source.Latent : null), source.FeedForward(layer)]);
}
