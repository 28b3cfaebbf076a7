using System.Collections.Immutable;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Multi-matrix factorization attention with key reuse (Hu et al., arXiv 2412.19255): only the key is cached, and values are
/// k + alpha * (N k). That map is linear, so it acts on the heads' weighted keys. Values come from keys before they turn, which then turn when
/// they are read, or from turned ones.
/// </summary>
public sealed class MfaKr : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "MFA-KR";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["mfa_kr"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("v_mix.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("MFA-KR", "one key of 2 d, from which values are made", ("key", 2 * sizes.Width, 1)),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, width) = (layer.HiddenSize, layer.Heads, layer.Config.Int("head_dim"));
        var shared = layer.Config.IntOrNull("share_q_dim") ?? width;
        var turned = layer.Config.OneOf("kr_value_source", "unrotated", "rotated") == "rotated";
        var turn = layer.Rotate(width);
        var mix = new MadeMatrix.Sum(
            new MadeMatrix.Identity(width), new MadeMatrix.Diagonal(layer.Stored("alpha", width)).Times(layer.Stored("v_mix.weight", width, width)));
        return new()
        {
            Streams = [new("key", Projection.Of(layer.Linear("k_proj", width, hidden), turned ? turn : null), width)],
            Branch = new(heads, Projection.Of(
                layer.Linear("q_proj", shared, hidden), layer.Norm("inter_norm", shared), layer.Linear("wq", heads * width, shared), turn), "key")
            {
                Turn = turned ? null : turn?.Rotary,
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(Step.Linear.From(mix), layer.Linear("o_proj", hidden, heads * width)),
            },
            Rows = layer.Rows,
        };
    }
}
