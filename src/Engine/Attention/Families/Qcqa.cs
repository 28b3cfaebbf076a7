using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Groups of any size and order (Joshi et al., arXiv 2406.10247): a map says which key head a query head reads. Groups are filled up to
/// the largest with heads whose queries are zero and whose outputs nobody reads.
/// </summary>
public sealed class Qcqa : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "QCQA";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["qcqa"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Config.Has("kv_head_map");

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, width) = (layer.HiddenSize, layer.Heads, layer.HeadWidth);
        var map = layer.Config.IntRows("kv_head_map")!.ElementAtOrDefault(layer.Layer);
        if (map is null || map.Length != heads || map.Any(group => group < 0 || group >= heads))
            throw layer.Config.Wrong("kv_head_map", "a list", $"for every layer, {heads} numbers of key heads below {heads}");
        var groups = map.Max() + 1;
        var size = Enumerable.Range(0, groups).Max(group => map.Count(read => read == group));
        int[] slots = [.. Enumerable.Range(0, groups).SelectMany(group => Enumerable.Range(0, heads).Where(head => map[head] == group)
            .Concat(Enumerable.Repeat(-1, size)).Take(size))];
        var output = Slots(layer.Stored("o_proj.weight", hidden, heads * width).Transpose()).Transpose();
        return new()
        {
            Streams =
            [
                new("key", Projection.Of(layer.Linear("k_proj", groups * width, hidden), layer.Rotate(width)), width, groups),
                new("value", Projection.Of(layer.Linear("v_proj", groups * width, hidden)), width, groups),
            ],
            Branch = new(slots.Length, Projection.Of(Step.Linear.From(Slots(layer.Stored("q_proj.weight", heads * width, hidden))), layer.Rotate(width)), "key")
            {
                Value = "value",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(Step.Linear.From(output)),
            },
            Rows = layer.Rows,
        };

        MadeMatrix Slots(MadeMatrix matrix) => MadeMatrix.Below(slots.Select(head =>
            head < 0 ? new MadeMatrix.Zero(width, matrix.Columns) : matrix.Take(head * width, width)));
    }
}
