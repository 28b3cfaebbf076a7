using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// CARE (Zhou et al., arXiv 2603.17946) with separate latents for keys and values, whose ranks differ from layer to layer, and one
/// rotary key. The query heads of a group share up-projections.
/// </summary>
public sealed class Care : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "CARE";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["care"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("k_a_proj.weight") && layer.Has("v_a_proj.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("CARE", $"latents of {Math.Max(1, sizes.Groups - 1)} d / 2 for keys and {sizes.Groups} d / 2 for values and a rotary key of d / 2, as the paper's 448, 512 and 64",
            ("latent", Math.Max(1, sizes.Groups - 1) * sizes.Width / 2, 1), ("value", sizes.Groups * sizes.Width / 2, 1), ("rotary", sizes.Width / 2, 1)),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, groups, config) = (layer.HiddenSize, layer.Heads, layer.Groups, layer.Config);
        if (groups < 1 || heads % groups != 0) throw config.Wrong("num_key_value_heads", $"{groups}", $"a divisor of the {heads} query heads");
        var (content, rotary, value) = (config.Int("qk_nope_head_dim"), config.Int("qk_rope_head_dim"), config.Int("v_head_dim"));
        var (keyRank, valueRank) = (Rank(layer, "k_lora_ranks"), Rank(layer, "v_lora_ranks"));
        return new()
        {
            Streams =
            [
                new("key", Projection.Of(layer.Linear("k_a_proj", keyRank, hidden)), keyRank),
                new("value", Projection.Of(layer.Linear("v_a_proj", valueRank, hidden)), valueRank),
                new("rotary", Projection.Of(layer.Linear("k_rope_proj", rotary, hidden), Turn(rotary, 0)), rotary),
            ],
            Branch = new(heads, Projection.Of(layer.Linear("q_proj", heads * (content + rotary), hidden), Turn(content + rotary, content)), "key")
            {
                Rotary = "rotary",
                RotaryOffset = content,
                Value = "value",
                KeyMap = Map("k_b_proj.weight", content, keyRank),
                ValueMap = Map("v_b_proj.weight", value, valueRank),
                Scale = layer.Scale ?? 1 / MathF.Sqrt(content + rotary),
                Output = Projection.Of(layer.Linear("o_proj", hidden, heads * value)),
            },
            Rows = layer.Rows,
        };

        Step? Turn(int width, int offset) =>
            layer.Rotate(width, offset) is { } turn ? turn with { Rotary = turn.Rotary with { Interleaved = true } } : null;

        HeadMap Map(string name, int rows, int rank)
        {
            var all = layer.Stored(name, groups * rows, rank);
            return HeadMap.Of(Enumerable.Range(0, heads).Select(head => all.Take(head / (heads / groups) * rows, rows)));
        }
    }

    static int Rank(AttentionContext layer, string key) =>
        layer.Config.Ints(key) is { } ranks && ranks.ElementAtOrDefault(layer.Layer) is > 0 and var rank
            ? rank
            : throw layer.Config.Wrong(key, "a list", $"a rank for every layer, also for layer {layer.Layer}");
}
