using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Sparse query attention (Filipek, arXiv 2510.01817): fewer query heads than the width of a head would give. With fewer query heads
/// than key heads, the query heads are repeated.
/// </summary>
public sealed class Sqa : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "SQA";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["sqa"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Config.Has("att_num_query_groups");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("SQA", "a key and a value of d for each 4 heads, as the paper's 4 of 16, read by half of the queries",
            ("key", sizes.Width, Math.Max(1, sizes.Heads / 4)), ("value", sizes.Width, Math.Max(1, sizes.Heads / 4))),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        layer.Config.OneOf("att_type", "sqa");
        var (hidden, queries, groups, width) = (layer.HiddenSize, layer.Config.Int("att_num_query_groups"), layer.Groups, layer.HeadWidth);
        var heads = Math.Max(queries, groups);
        if (queries < 1 || heads % queries != 0 || heads % groups != 0)
            throw layer.Config.Wrong("att_num_query_groups", $"{queries}", $"a divisor or a multiple of the {groups} key heads");
        return new()
        {
            Streams =
            [
                new("key", Projection.Of(layer.Linear("k_proj", groups * width, hidden), layer.Rotate(width)), width, groups),
                new("value", Projection.Of(layer.Linear("v_proj", groups * width, hidden)), width, groups),
            ],
            Branch = new(heads, Projection.Of(
                layer.Linear("q_proj", queries * width, hidden), layer.Rotate(width), heads == queries ? null : new Step.Repeat(heads / queries)), "key")
            {
                Value = "value",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(layer.Linear("out_proj", hidden, heads * width)),
            },
            Rows = layer.Rows,
        };
    }
}
