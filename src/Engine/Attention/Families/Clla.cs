using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Cross-layer latent attention (Yang et al., arXiv 2410.15252): the first layer of a group owns the latents, the others read them
/// through maps of their own. The rotary key is the owner's, or every layer has its own.
/// </summary>
public sealed class Clla : IAttentionFamily
{
    const float LatentEpsilon = 1e-6f;

    const string Share = "layer_share_factor";

    /// <inheritdoc/>
    public string Name => "CLLA";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["clla"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => Shares(layer) && !layer.Has("wkv_b.weight");

    /// <summary>Whether the configuration says that layers share latents, or names the family.</summary>
    public static bool Shares(AttentionContext layer) => layer.Config.Has(Share) || layer.Config.ModelType == "clla";

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        Quantized(sizes) with { SharedLayers = 2 },
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (config, owner) = (layer.Config, LayerGroups.Owner(layer, Share, "kv_a_proj_with_mqa.weight", "kv_a_proj.weight"));
        var (plan, own) = (new Mla().Plan(layer), config.OneOf("rope_key", "shared_with_latent", "per_layer") == "per_layer");
        var (latent, rotary) = (plan.Stream("latent"), plan.Stream("rotary"));
        if (owner == layer.Layer && config.Bool("latent_norm", true) != layer.Has("kv_a_layernorm.weight"))
            throw config.Wrong("latent_norm", $"{config.Bool("latent_norm", true)}", "what the tensors say");
        if (own)
        {
            latent = latent with
            {
                From = Projection.Of(
                    layer.Linear("kv_a_proj", latent.Width, layer.HiddenSize), layer.Norm("kv_a_layernorm", latent.Width, LatentEpsilon)),
            };
            rotary = rotary with { From = Projection.Of(layer.Linear("k_rope_proj", rotary.Width, layer.HiddenSize), layer.Rotate(rotary.Width)) };
        }
        return owner == layer.Layer
            ? plan with { Streams = [latent, rotary] }
            : plan with { Streams = [latent with { OwnedBy = owner }, own ? rotary : rotary with { OwnedBy = owner }] };
    }

    static SchemeSketch Quantized(HeadSizes sizes)
    {
        var sketch = SchemeSketch.OfLatents(
            "CLLA-2", "a latent of 4 d in four bits, groups of 32, and a rotary key of d / 2 in every second layer", 4 * sizes.Width, 1, sizes.Width / 2);
        return sketch with { Streams = [sketch.Streams[0] with { Format = CacheType.Int4 }, sketch.Streams[1]] };
    }
}
