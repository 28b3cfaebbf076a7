using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Mixture of attention schemes (Gumaan, arXiv 2512.20650): multi-head, grouped and multi-query attention side by side, each with rows
/// of its own, mixed token by token by a router behind their output projections. A later token may choose any of them, so all are cached.
/// </summary>
public sealed class Moas : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "MoAS";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["moas"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("mha.q_proj.weight") && layer.Has("router.0.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("MoAS", $"keys and values of d of three schemes: for each of {sizes.Heads} heads, for 2 groups, for one",
            ("key", sizes.Width, sizes.Heads + 3), ("value", sizes.Width, sizes.Heads + 3)),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, width) = (layer.HiddenSize, layer.Heads, layer.HeadWidth);
        var groups = layer.Config.Int("gqa_kv_heads", 2);
        if (groups < 1 || heads % groups != 0) throw layer.Config.Wrong("gqa_kv_heads", $"{groups}", $"a divisor of the {heads} query heads");
        if (layer.Config.Bool("router_bias", true) != layer.Has("router.0.bias"))
            throw layer.Config.Wrong("router_bias", $"{layer.Config.Bool("router_bias", true)}", "what the tensors say");
        (string Name, int Groups)[] schemes = [("mha", heads), ("gqa", groups), ("mqa", 1)];
        return new()
        {
            Streams = [.. schemes.SelectMany(scheme => (CachedStream[])
            [
                new($"{scheme.Name}.key", Projection.Of(layer.Linear($"{scheme.Name}.k_proj", scheme.Groups * width, hidden), layer.Rotate(width)), width, scheme.Groups),
                new($"{scheme.Name}.value", Projection.Of(layer.Linear($"{scheme.Name}.v_proj", scheme.Groups * width, hidden)), width, scheme.Groups),
            ])],
            Branches = [.. schemes.Select(scheme => new Branch(
                heads, Projection.Of(layer.Linear($"{scheme.Name}.q_proj", heads * width, hidden), layer.Rotate(width)), $"{scheme.Name}.key")
            {
                Value = $"{scheme.Name}.value",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(layer.Linear($"{scheme.Name}.o_proj", hidden, heads * width)),
            })],
            Combine = new(Projection.Of(
                layer.Linear("router.0", hidden / 4, hidden), new Step.Activate(Activation.Gelu),
                layer.Linear("router.2", schemes.Length, hidden / 4), new Step.Softmax())),
            Rows = layer.Rows,
        };
    }
}
