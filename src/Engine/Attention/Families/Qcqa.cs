using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Groups of any size and order (Joshi et al., arXiv 2406.10247): a map says which key head a query head reads. Groups of one size are a
/// branch, whose queries, rows and outputs are those of its heads; the branches' results add up.
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
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("QCQA", "a key and a value of d for half as many groups as heads, of any sizes",
            ("key", sizes.Width, Math.Max(1, sizes.Heads / 2)), ("value", sizes.Width, Math.Max(1, sizes.Heads / 2))),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, width) = (layer.HiddenSize, layer.Heads, layer.HeadWidth);
        var map = layer.Config.IntRows("kv_head_map")!.ElementAtOrDefault(layer.Layer);
        if (map is null || map.Length != heads || map.Any(group => group < 0 || group >= heads))
            throw layer.Config.Wrong("kv_head_map", "a list", $"for every layer, {heads} numbers of key heads below {heads}");
        var groups = map.Max() + 1;
        if (Enumerable.Range(0, groups).Except(map).Any())
            throw layer.Config.Wrong("kv_head_map", $"[{string.Join(", ", map)}]", $"every key head below {groups} for some query head of layer {layer.Layer}");
        var sizes = Enumerable.Range(0, groups).GroupBy(group => map.Count(read => read == group)).ToArray();
        return new()
        {
            Streams = [.. sizes.SelectMany(size => (CachedStream[])
            [
                new($"key of {size.Key}", Projection.Of(Product("k_proj", groups, size), layer.Rotate(width)), width, size.Count()),
                new($"value of {size.Key}", Projection.Of(Product("v_proj", groups, size)), width, size.Count()),
            ])],
            Branches = [.. sizes.Select(size => new Branch(
                size.Key * size.Count(), Projection.Of(Product("q_proj", heads, HeadsOf(size)), layer.Rotate(width)), $"key of {size.Key}")
            {
                Value = $"value of {size.Key}",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(Step.Linear.From(Pick(layer.Stored("o_proj.weight", hidden, heads * width).Transpose(), HeadsOf(size)).Transpose())),
            })],
            Rows = layer.Rows,
        };

        IEnumerable<int> HeadsOf(IEnumerable<int> some) => some.SelectMany(group => Enumerable.Range(0, heads).Where(head => map[head] == group));
        MadeMatrix Pick(MadeMatrix all, IEnumerable<int> some) => MadeMatrix.Below(some.Select(head => all.Take(head * width, width)));
        Step Product(string name, int all, IEnumerable<int> some) => Step.Linear.From(Pick(layer.Stored($"{name}.weight", all * width, hidden), some));
    }
}
