using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Cross-layer attention (Brandon et al., arXiv 2405.12981): some layers make keys and values, the others read them. Under its authors'
/// names those are made of the layer's raw input through a norm of their own, and a list says whose rows a layer reads. As Hunyuan has it,
/// the first layer of a group makes them, keys are cached turned and divided by their norm, and a layer's own factors on them go into its
/// queries.
/// </summary>
public sealed class Cla : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "CLA";

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Config.Bool("use_cla", false) || layer.Has("sequence_mixer.q_attn.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("CLA-2", $"a key and a value of d for each of {sizes.Groups} groups in every second layer", ("key", sizes.Width, sizes.Groups), ("value", sizes.Width, sizes.Groups)) with { SharedLayers = 2 },
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (heads, groups, width, config) = (layer.Heads, layer.Groups, layer.HeadWidth, layer.Config);
        if (groups < 1 || heads % groups != 0) throw config.Wrong("num_key_value_heads", $"{groups}", $"a divisor of the {heads} query heads");
        var listed = layer.Has("sequence_mixer.q_attn.weight");
        var owner = listed ? Listed(layer) : LayerGroups.Owner(layer, "cla_share_factor", "k_proj.weight");
        var (key, value, query, output) = listed ? OfRawInput(layer) : OfNormedInput(layer);
        return new()
        {
            Streams =
            [
                new("key", key, width, groups) { OwnedBy = owner == layer.Layer ? null : owner },
                new("value", value, width, groups) { OwnedBy = owner == layer.Layer ? null : owner },
            ],
            Branch = new(heads, query, "key")
            {
                Value = "value",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = output,
            },
            Rows = layer.Rows,
        };
    }

    static int Listed(AttentionContext layer)
    {
        // Without a list every layer reads its own rows, as the authors' configuration has it.
        if (layer.Config.Ints("sharing_pattern") is not { } pattern) return layer.Layer;
        var (makes, found) = (layer.Has("kv_proj.kv_attn.weight"), $"[{string.Join(", ", pattern)}]");
        if (layer.Layer >= pattern.Length || pattern[layer.Layer] is not (>= 0 and var owner) || owner > layer.Layer || pattern[owner] != owner)
            throw layer.Config.Wrong("sharing_pattern", found, $"for layer {layer.Layer} the number of itself or of an earlier layer that reads its own rows");
        return makes == (owner == layer.Layer) ? owner
            : throw layer.Config.Wrong("sharing_pattern", found, $"for layer {layer.Layer} {(makes ? "its own number, as it has" : "another layer's number, as it has no")} kv_proj.kv_attn.weight");
    }

    static (Projection Key, Projection Value, Projection Query, Projection Output) OfRawInput(AttentionContext layer)
    {
        var (hidden, heads, groups, width) = (layer.HiddenSize, layer.Heads, layer.Groups, layer.HeadWidth);
        // The rows of a head are its key's, then its value's.
        var both = layer.Linear("kv_proj.kv_attn", groups * width, hidden) with { Of = 2 * groups * width, Parts = groups };
        return (
            Projection.Of(Norm("kv_proj.ln"), both, layer.Rotate(width)),
            Projection.Of(Norm("kv_proj.ln"), both with { First = width }),
            Projection.Of(Norm("ln_1"), layer.Linear("sequence_mixer.q_attn", heads * width, hidden), layer.Rotate(width)),
            Projection.Of(layer.Linear("sequence_mixer.c_proj", hidden, heads * width)));

        Step.Normalize Norm(string name) => new(NormKind.RootMeanSquare, hidden, layer.Epsilon, $"{layer.Prefix}{name}.weight");
    }

    static (Projection Key, Projection Value, Projection Query, Projection Output) OfNormedInput(AttentionContext layer)
    {
        var (hidden, heads, groups, width) = (layer.HiddenSize, layer.Heads, layer.Groups, layer.HeadWidth);
        var normed = layer.Config.Bool("use_qk_norm", false);
        return (
            Projection.Of(layer.Linear("k_proj", groups * width, hidden), layer.Rotate(width),
                normed ? new Step.Normalize(NormKind.RootMeanSquare, width, layer.Epsilon, null) : null),
            Projection.Of(layer.Linear("v_proj", groups * width, hidden)),
            Projection.Of(layer.Linear("q_proj", heads * width, hidden), layer.Rotate(width), normed ? layer.Norm("query_layernorm", width) : null,
                normed ? Step.Linear.From(new MadeMatrix.Diagonal(layer.Stored("key_layernorm.weight", width))) : null),
            Projection.Of(layer.Linear("o_proj", hidden, heads * width)));
    }
}
