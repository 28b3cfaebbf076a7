using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Multi-head attention and its grouped forms: every token leaves a key and a value for each of G groups, and H / G query heads read
/// one group. G = H is MHA, G = 1 MQA (Shazeer, arXiv 1911.02150), between them GQA (Ainslie et al., arXiv 2305.13245).
/// </summary>
public sealed class Mha : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "MHA/GQA/MQA";

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Products is not null
        || (layer.Has("q_proj.weight") && layer.Has("k_proj.weight") && layer.Has("v_proj.weight") && !IsOther(layer));

    /// <summary>Families that have these three matrices and more.</summary>
    static bool IsOther(AttentionContext layer) => layer.Has("wq.weight") || layer.Has("k_merge") || layer.Has("q_core")
        || layer.Has("router.0.weight") || layer.Has("A_log") || layer.Config.Has("kv_head_map") || layer.Config.Has("att_num_query_groups") || layer.Config.Bool("use_cla", false) || Kha.Mixes(layer);

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        Keyed("MHA", $"a key and a value of d for each of {sizes.Heads} heads", sizes.Heads, sizes.Width),
        Keyed("GQA", $"a key and a value of d for each of {sizes.Groups} groups", sizes.Groups, sizes.Width),
        Keyed("MQA", "one key and one value of d", 1, sizes.Width),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, groups, width) = (layer.HiddenSize, layer.Heads, layer.Groups, layer.HeadWidth);
        if (groups < 1 || heads % groups != 0)
            throw layer.Config.Wrong("num_key_value_heads", $"{groups}", $"a divisor of the {heads} query heads");
        var (query, key, value, output) = layer.Products ?? new(
            layer.Linear("q_proj", heads * width, hidden), layer.Linear("k_proj", groups * width, hidden),
            layer.Linear("v_proj", groups * width, hidden), layer.Linear("o_proj", hidden, heads * width));
        return new()
        {
            Streams =
            [
                new("key", Turned(layer, key, layer.HeadNorm(key.Outputs, "k_norm", "key_layernorm", "k_layernorm"), null), width, groups),
                new("value", Projection.Of(value), width, groups),
            ],
            Branch = new(heads, Turned(layer, query, layer.HeadNorm(query.Outputs, "q_norm", "query_layernorm", "q_layernorm"), layer.QueryEnd), "key")
            {
                Value = "value",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Softcap = layer.Softcap,
                Sinks = layer.Has("sinks") ? $"{layer.Prefix}sinks" : null,
                HeadGate = layer.Has("g_proj.weight") ? Projection.Of(layer.Linear("g_proj", heads, hidden)) : null,
                Output = Projection.Of(output),
            },
            Rows = layer.Rows,
        };
    }

    static SchemeSketch Keyed(string name, string widths, int groups, int width) =>
        SchemeSketch.Of(name, widths, ("key", width, groups), ("value", width, groups));

    static Projection Turned(AttentionContext layer, Step.Linear product, Step.Normalize? norm, Step? end)
    {
        var turn = layer.Rotate(layer.HeadWidth);
        return layer.NormsAfterTurn ? Projection.Of(product, turn, norm, end) : Projection.Of(product, norm, turn, end);
    }
}
