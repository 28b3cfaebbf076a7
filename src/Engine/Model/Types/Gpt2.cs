using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>
/// GPT-2, and GPT-BigCode (StarCoder, arXiv 2305.06161) with one key and value head: learned positions, layer norms, fused attention
/// products. GPT-2 stores matrices as [inputs x outputs].
/// </summary>
public sealed class Gpt2 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["gpt2", "gpt_bigcode"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        // Another decoder was published under this name, with gated feed-forward networks.
        if (source.Tensors.Has("transformer.h.0.mlp.c_fc1.weight")) return GatedGpt.Plan(source);
        var (config, transposed) = (source.Config, source.Config.ModelType == "gpt2");
        source = source with
        {
            // The oldest files have no root.
            Root = source.Tensors.Has("wte.weight") ? "" : "transformer.",
            LayerList = "h",
            Names = new("wte", "ln_f"),
            Norms = NormKind.Layer,
        };
        source.Tensors.Ignore("*attn.bias", "a causal mask, not a weight");
        source.Tensors.Ignore("*attn.masked_bias", "a causal mask, not a weight");
        var oneHead = !transposed && config.Bool("multi_query");
        config.Ignore("num_key_value_heads");
        var plan = source.Decoder(layer =>
        [
            source.Attention(layer, a => (a with
            {
                Prefix = $"{source.Prefix(layer)}attn.",
                Rotary = null,
                Groups = oneHead ? 1 : a.Heads,
            }).Fused("c_attn", "c_proj", byHead: !transposed && !oneHead, transposed)) with { Before = source.Norm($"{source.Prefix(layer)}ln_1") },
            source.FeedForward(layer, Network(source, $"{source.Prefix(layer)}mlp.", transposed)) with { Before = source.Norm($"{source.Prefix(layer)}ln_2") },
        ]);
        return plan with { Positions = $"{source.Root}wpe.weight" };
    }

    static DenseFeedForward Network(ModelSource source, string prefix, bool transposed)
    {
        var plain = source.Plain($"{prefix}c_fc", $"{prefix}c_proj", source.Config.Int("intermediate_size", 4 * source.HiddenSize));
        return plain with { Up = plain.Up with { Transposed = transposed }, Down = plain.Down with { Transposed = transposed } };
    }
}
