using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Memory-keyed attention, full form (Liu et al., arXiv 2603.20586): the layer's input and its running average each leave keys and values
/// through the same products; two attentions by one query are mixed by shares that a router reads off it. Nothing turns. A third level, of
/// retrieved memory, is zero as in the authors' code, and its share is lost.
/// </summary>
public sealed class MkaFull : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "MKA";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["mka_full"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Config.ModelType == "mka_full" && layer.Has("router.0.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("MKA", $"a key and a value of d for each of {sizes.Groups} groups in two levels of memory",
            ("key", sizes.Width, sizes.Groups), ("value", sizes.Width, sizes.Groups), ("key 2", sizes.Width, sizes.Groups), ("value 2", sizes.Width, sizes.Groups)),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, groups, width, config) = (layer.HiddenSize, layer.Heads, layer.Groups, layer.HeadWidth, layer.Config);
        config.Ignore("rope_theta");
        var query = new Step.Take("query", 0, heads * width);
        (string Name, Step? From)[] levels = [("input", null), ("average", new Step.Take("average", 0, hidden))];
        return new()
        {
            States = [FastMka.Average(layer)],
            Shared =
            [
                new("query", Projection.Of(layer.Linear("q_proj", heads * width, hidden))),
                new("average", Projection.Of(new Step.Remember("average"))),
            ],
            Streams = [.. levels.SelectMany(level => (CachedStream[])
            [
                new($"{level.Name}.key", Projection.Of(level.From, layer.Linear("k_proj", groups * width, hidden)), width, groups),
                new($"{level.Name}.value", Projection.Of(level.From, layer.Linear("v_proj", groups * width, hidden)), width, groups),
            ])],
            Branches = [.. levels.Select(level => new Branch(heads, Projection.Of(query), $"{level.Name}.key")
            {
                Value = $"{level.Name}.value",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(),
            })],
            Combine = new(Projection.Of(
                query, layer.Linear("router.0", hidden / 2, heads * width), new Step.Activate(Activation.Gelu),
                layer.Linear("router.2", config.Bool("use_l3", false) ? 3 : 2, hidden / 2), new Step.Softmax()))
            {
                Output = Projection.Of(layer.Linear("o_proj", hidden, heads * width)),
            },
            Rows = layer.Rows,
        };
    }
}
