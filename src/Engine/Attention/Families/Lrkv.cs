using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// One shared key and value head plus a low-rank residual a head (O'Neill et al., arXiv 2601.11471). A token leaves the shared vectors, the
/// key turned, and the factors of every head, which only that head reads. Where residuals turn with the key, they are rebuilt to be turned.
/// </summary>
public sealed class Lrkv : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "LRKV";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["lrkv"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("k_shared_proj.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("LRKV", $"a shared key and value of d, and of each of {sizes.Heads} heads residuals of rank 7 d / 16, as the paper's half of MHA",
            ("key", sizes.Width + sizes.Heads * (7 * sizes.Width / 16), 1), ("value", sizes.Width + sizes.Heads * (7 * sizes.Width / 16), 1)),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, width, rank) = (layer.HiddenSize, layer.Heads, layer.HeadWidth, layer.Config.Int("kv_residual_rank"));
        if (rank < 1 || rank > width) throw layer.Config.Wrong("kv_residual_rank", $"{rank}", $"1 to {width}, the width of a head");
        var turn = layer.Rotate(width);
        return new()
        {
            Streams =
            [
                new("key", Projection.Of(layer.Linear("k_down", heads * rank, hidden)), rank, heads),
                new("shared key", Projection.Of(layer.Linear("k_shared_proj", width, hidden), turn), width),
                new("value", Projection.Of(layer.Linear("v_down", heads * rank, hidden)), rank, heads),
                new("shared value", Projection.Of(layer.Linear("v_shared_proj", width, hidden)), width),
            ],
            // Both parts of a score take the whole query.
            Branch = new(heads, Projection.Of(layer.Linear("q_proj", heads * width, hidden), turn), "key")
            {
                Rotary = "shared key",
                Value = "value",
                SharedValue = "shared value",
                Turn = layer.Config.OneOf("residual_rope", "inside", "none") == "inside" ? turn?.Rotary : null,
                KeyMap = HeadMap.Of(Ups("k_up")),
                ValueMap = HeadMap.Of(Ups("v_up").Select(up => MadeMatrix.Below([up.Transpose(), new MadeMatrix.Identity(width)]).Transpose())),
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(layer.Linear("o_proj", hidden, heads * width)),
            },
            Rows = layer.Rows,
        };

        IEnumerable<MadeMatrix> Ups(string name)
        {
            var up = layer.Stored(name, heads, width, rank);
            return Enumerable.Range(0, heads).Select(head => up.Take(head * width, width));
        }
    }
}
