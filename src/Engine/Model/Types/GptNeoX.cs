using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>GPT-NeoX (arXiv 2204.06745) and Pythia: attention and feed-forward side by side on one stream, queries, keys and values fused within each head.</summary>
public sealed class GptNeoX : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["gpt_neox"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        source = source with
        {
            Root = "gpt_neox.",
            Names = new("embed_in", "final_layer_norm", "embed_out"),
            Norms = NormKind.Layer,
        };
        source.Tensors.Ignore("*.attention.bias", "a causal mask, not a weight");
        source.Tensors.Ignore("*.attention.masked_bias", "a causal mask, not a weight");
        var parallel = source.Config.Bool("use_parallel_residual") ? 1 : 0;
        return source.Decoder(layer =>
        [
            source.Attention(layer, a => (a with { Prefix = $"{source.Prefix(layer)}attention." }).Fused("query_key_value", "dense", byHead: true))
                with { AddsAfter = parallel },
            source.FeedForward(layer, source.Plain(
                $"{source.Prefix(layer)}mlp.dense_h_to_4h", $"{source.Prefix(layer)}mlp.dense_4h_to_h", source.Config.Int("intermediate_size"))),
        ]);
    }
}
