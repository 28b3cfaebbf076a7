using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Tucker attention (Klein et al., arXiv 2603.30033): one narrow key and one narrow value for all heads; the matrices of the heads are
/// sums of a few cores with weights of their own, which are multiplied out while loading. A key that is the value as well turns when it is
/// read.
/// </summary>
public sealed class Tucker : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "Tucker attention";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["tucker"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("q_core");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("Tucker", "one key and one value of d, as the paper's ranks of 64 for heads of 64", ("key", sizes.Width, 1), ("value", sizes.Width, 1)),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, config) = (layer.HiddenSize, layer.Heads, layer.Config);
        var (query, value) = (Ranks(config, "tucker_query_ranks"), Ranks(config, "tucker_value_ranks"));
        var shared = config.Bool("share_kv", false);
        if (shared && value[2] != query[2])
            throw config.Wrong("tucker_value_ranks", $"[{string.Join(", ", value)}]", $"{query[2]} as the last rank, since values are the keys (share_kv)");
        var turn = config.Bool("latent_rope", true) ? layer.Rotate(query[2]) : null;
        var queries = MadeMatrix.Below(Cores("q", query).Select(core => core.Transpose()));
        var outputs = MadeMatrix.Below(Cores("o", value).Select(core => core.Transpose())).Transpose();
        var scale = config.FloatOrNull("softmax_scale");
        if (scale <= 0) throw config.Wrong("softmax_scale", $"{scale}", "a positive number, or null");
        return new()
        {
            Streams =
            [
                new("key", Projection.Of(layer.Linear("k_proj", query[2], hidden), shared ? null : turn), query[2]),
                .. shared ? [] : (CachedStream[])[new("value", Projection.Of(layer.Linear("v_proj", value[2], hidden)), value[2])],
            ],
            Branch = new(heads, Projection.Of(layer.Linear("q_proj", query[1], hidden), Step.Linear.From(queries), turn), "key")
            {
                Value = shared ? null : "value",
                Turn = shared ? turn?.Rotary : null,
                Scale = layer.Scale ?? scale ?? 1 / MathF.Sqrt((float)hidden / heads),
                Output = Projection.Of(Step.Linear.From(outputs), layer.Linear("o_proj", hidden, value[1])),
            },
            Rows = layer.Rows,
        };

        IEnumerable<MadeMatrix> Cores(string name, int[] ranks)
        {
            var all = layer.Stored($"{name}_head", heads, ranks[0])
                .Times(layer.Stored($"{name}_core", ranks[0], ranks[1], ranks[2]).Reshape(ranks[0], ranks[1] * ranks[2]));
            return Enumerable.Range(0, heads).Select(head => all.Take(head, 1).Reshape(ranks[1], ranks[2]));
        }
    }

    static int[] Ranks(ModelConfig config, string key) =>
        config.Ints(key) is { Length: 3 } ranks && ranks.All(rank => rank is > 0 and < 1 << 14)
            ? ranks
            : throw config.Wrong(key, "a list", "three positive ranks");
}
