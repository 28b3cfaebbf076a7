using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Multi-matrix factorization attention (Hu et al., arXiv 2412.19255) in the form of Step-3 (arXiv 2507.19427): one wide key head and
/// one wide value head; the query goes through a shared down-projection with a norm, then up to every head. All of a head turns.
/// </summary>
public sealed class Mfa : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "MFA";

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => (layer.Has("wq.weight") && layer.Has("k_proj.weight") && layer.Has("v_proj.weight")) || layer.Has("w_q.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("MFA", "one key and one value of 2 d, as the paper's 256 for heads of 128", ("key", 2 * sizes.Width, 1), ("value", 2 * sizes.Width, 1)),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, width) = (layer.HiddenSize, layer.Heads, layer.Config.Int("head_dim"));
        var shared = layer.Config.IntOrNull("share_q_dim") ?? width;
        if (layer.Config.Int("num_attention_groups", 1) is var groups and not 1)
            throw layer.Config.Wrong("num_attention_groups", $"{groups}", "1, since there is one key and one value head");
        return new()
        {
            Streams =
            [
                new("key", Projection.Of(layer.Linear(layer.NameOf("k_proj", "c_k"), width, hidden), layer.Rotate(width)), width),
                new("value", Projection.Of(layer.Linear(layer.NameOf("v_proj", "c_v"), width, hidden)), width),
            ],
            Branch = new(heads, Projection.Of(
                layer.Linear(layer.NameOf("q_proj", "c_q"), shared, hidden), layer.Norm(layer.NameOf("inter_norm", "q_layernorm"), shared), layer.Linear(layer.NameOf("wq", "w_q"), heads * width, shared), layer.Rotate(width)), "key")
            {
                Value = "value",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(layer.Linear(layer.NameOf("o_proj", "c_proj"), hidden, heads * width)),
            },
            Rows = layer.Rows,
        };
    }
}
