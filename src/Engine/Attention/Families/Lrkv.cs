using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// One shared key and value head plus a low-rank residual a head (O'Neill et al., arXiv 2601.11471). A token leaves one row
/// [shared | factors of all heads]; a head's maps read the shared part and its own factors.
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
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, width, rank) = (layer.HiddenSize, layer.Heads, layer.HeadWidth, layer.Config.Int("kv_residual_rank"));
        if (rank is < 1 or > 1 << 14) throw layer.Config.Wrong("kv_residual_rank", $"{rank}", "a positive rank");
        if (layer.Config.Text("residual_rope", "inside") is var rope and not "none")
            throw layer.Config.Wrong("residual_rope", $"\"{rope}\"", "\"none\": residuals that turn when they are read are not served");
        var row = width + heads * rank;
        return new()
        {
            Streams =
            [
                new("key", Projection.Of(Row("k"), layer.Rotate(width) is { } turn ? turn with { Width = row } : null), row),
                new("value", Projection.Of(Row("v")), row),
            ],
            Branch = new(heads, Projection.Of(layer.Linear("q_proj", heads * width, hidden), layer.Rotate(width)), "key")
            {
                Value = "value",
                KeyMap = HeadMap.Of(Maps("k_up")),
                ValueMap = HeadMap.Of(Maps("v_up")),
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(layer.Linear("o_proj", hidden, heads * width)),
            },
            Rows = layer.Rows,
        };

        Step Row(string name) => Step.Linear.From(MadeMatrix.Below(
            [layer.Stored($"{name}_shared_proj.weight", width, hidden), layer.Stored($"{name}_down.weight", heads * rank, hidden)]));

        IEnumerable<MadeMatrix> Maps(string name)
        {
            var up = layer.Stored(name, heads, width, rank);
            return Enumerable.Range(0, heads).Select(head => MadeMatrix.Below(
            [
                new MadeMatrix.Identity(width), new MadeMatrix.Zero(head * rank, width),
                up.Take(head * width, width).Transpose(), new MadeMatrix.Zero((heads - head - 1) * rank, width),
            ]).Transpose());
        }
    }
}
