using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Memory-keyed attention, fast form (Liu et al., arXiv 2603.20586): keys and values are made of a mixture of the layer's input and its
/// running average, by shares that a router reads off the query. A third level, of retrieved memory, is zero as in the authors' code.
/// </summary>
public sealed class FastMka : IAttentionFamily
{
    /// <inheritdoc/>
    public string Name => "FastMKA";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["mka"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Config.ModelType == "mka" && layer.Has("router.0.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("FastMKA", $"as its host: a key and a value of d for each of {sizes.Groups} groups (beside them an average a sequence, not counted here)",
            ("key", sizes.Width, sizes.Groups), ("value", sizes.Width, sizes.Groups)),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, groups, width, config) = (layer.HiddenSize, layer.Heads, layer.Groups, layer.HeadWidth, layer.Config);
        var levels = config.Bool("use_l3", false) ? 3 : 2;
        var shares = Projection.Of(
            new Step.Take("query", 0, heads * width), layer.Linear("router.0", hidden / 2, heads * width), new Step.Activate(Activation.Silu),
            layer.Linear("router.2", levels, hidden / 2), new Step.Softmax());
        var mixed = new Step.Take("mixed", 0, hidden);
        return new()
        {
            States = [Average(layer)],
            Shared =
            [
                new("query", Projection.Of(layer.Linear("q_proj", heads * width, hidden))),
                new("mixed", Projection.Of(new Step.Sum([new([]), Projection.Of(new Step.Remember("average"))]) { Weights = shares })),
            ],
            Streams =
            [
                new("key", Projection.Of(mixed, layer.Linear("k_proj", groups * width, hidden), layer.Rotate(width)), width, groups),
                new("value", Projection.Of(mixed, layer.Linear("v_proj", groups * width, hidden)), width, groups),
            ],
            Branches = [new(heads, Projection.Of(new Step.Take("query", 0, heads * width), layer.Rotate(width)), "key")
            {
                Value = "value",
                Scale = layer.Scale ?? 1 / MathF.Sqrt(width),
                Output = Projection.Of(layer.Linear("o_proj", hidden, heads * width)),
            }],
            Rows = layer.Rows,
        };
    }

    /// <summary>The running average of a layer's input that both forms keep.</summary>
    /// <exception cref="CheckpointException">A number of the configuration is impossible.</exception>
    internal static LayerState Average(AttentionContext layer)
    {
        var (heads, groups, config) = (layer.Heads, layer.Groups, layer.Config);
        if (groups < 1 || heads % groups != 0) throw config.Wrong("num_key_value_heads", $"{groups}", $"a divisor of the {heads} query heads");
        if (config.Text("mka_l2_decode", "carry") is var mode && mode != "carry")
            throw config.Wrong("mka_l2_decode", $"\"{mode}\"", "\"carry\": a running average that begins anew with every chunk would make answers depend on the schedule");
        var beta = config.Float("ema_beta", 0.9f);
        if (beta is not (>= 0 and < 1)) throw config.Wrong("ema_beta", $"{beta}", "at least 0 and below 1");
        return new("average", new StateUpdate.Average(layer.HiddenSize, beta));
    }
}
