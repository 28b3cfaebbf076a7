using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Key heads merged after they turned (Yu et al., arXiv 2406.07056): a group caches a projection of its members' turned keys, and a
/// query head goes through its member's block of the same matrix.
/// </summary>
public sealed class KvHeadSvd : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "merged key and value heads";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["kv_head_svd"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("k_merge");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("KV-head SVD", "a merged key and value of d for each 2 heads, as the paper's 16 of 32",
            ("key", sizes.Width, Math.Max(1, sizes.Heads / 2)), ("value", sizes.Width, Math.Max(1, sizes.Heads / 2))),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, groups, width) = (layer.HiddenSize, layer.Heads, layer.Groups, layer.HeadWidth);
        var sources = layer.Config.Int("source_key_value_heads");
        if (sources < groups || sources % groups != 0 || heads % sources != 0)
            throw layer.Config.Wrong("source_key_value_heads", $"{sources}", $"a multiple of {groups} groups that divides {heads} query heads");
        if (!layer.Config.Bool("post_rope_proj", true)) throw layer.Config.Wrong("post_rope_proj", "false", "true beside k_merge");
        var members = sources / groups;
        var merge = layer.Stored("k_merge", groups, width, members * width);
        return new()
        {
            Streams =
            [
                new("key", Projection.Of(
                    layer.Linear("k_proj", sources * width, hidden), layer.Rotate(width),
                    new Step.LinearByHead([.. Enumerable.Range(0, groups).Select(group => merge.Take(group * width, width))])), width, groups),
                new("value", Projection.Of(layer.Linear("v_proj", groups * width, hidden)), width, groups),
            ],
            Branch = new(heads, Projection.Of(
                layer.Linear("q_proj", heads * width, hidden), layer.Rotate(width),
                new Step.LinearByHead([.. Enumerable.Range(0, heads).Select(head => Block(head / (heads / sources)))])), "key")
            {
                Value = "value",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(layer.Linear("o_proj", hidden, heads * width)),
            },
            Rows = layer.Rows,
        };

        MadeMatrix Block(int source) => new MadeMatrix.Part(merge, source / members * width, width, source % members * width, width);
    }
}
