using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Grouped-tied attention (Zadouri et al., arXiv 2505.21487): one row a group is the value, and its beginning is the key; what turns is
/// one more vector that all groups share.
/// </summary>
public sealed class Gta : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "GTA";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["gta"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("W_rope_k.weight") && layer.Has("kv_proj.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("GTA", $"a tied key and value of d for each of {sizes.Groups} groups and a rotary key of d / 2", ("tied", sizes.Width, sizes.Groups), ("rotary", sizes.Width / 2, 1)),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, width) = (layer.HiddenSize, layer.Heads, layer.HeadWidth);
        var groups = layer.Config.IntOrNull("group_size") is { } size and > 0 ? heads / size : layer.Groups;
        if (groups < 1 || heads % groups != 0) throw layer.Config.Wrong("num_key_value_heads", $"{groups}", $"a divisor of the {heads} query heads");
        var rotary = layer.Config.Int("rope_dim", width / 2);
        if (rotary < 2 || rotary >= width) throw layer.Config.Wrong("rope_dim", $"{rotary}", $"2 to {width - 1}, a part of head_dim = {width}");
        return new()
        {
            Streams =
            [
                new("tied", Projection.Of(layer.Linear("kv_proj", groups * width, hidden)), width, groups),
                new("rotary", Projection.Of(layer.Linear("W_rope_k", rotary, hidden), layer.Rotate(rotary)), rotary),
            ],
            Branch = new(heads, Projection.Of(
                layer.Linear(layer.NameOf("q_proj", "c_q"), heads * width, hidden), layer.Rotate(width, width - rotary)), "tied")
            {
                Rotary = "rotary",
                RotaryOffset = width - rotary,
                KeyWidth = width - rotary,
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(layer.Linear(layer.NameOf("o_proj", "c_proj"), hidden, heads * width)),
            },
            Rows = layer.Rows,
        };
    }
}
