using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Kimi delta attention (arXiv 2510.26692): queries, keys and values pass through short causal convolutions; every head keeps a matrix that
/// fades by channels and is written by the delta rule, and reads it with its query. Nothing is cached by token.
/// </summary>
public sealed class KimiDelta : IAttentionFamily
{
    // Added to the sum of squares of queries and keys in the published implementation.
    const float LeastSquares = 1e-6f;

    /// <inheritdoc/>
    public string Name => "KDA";

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("A_log");

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, sizes) = (layer.HiddenSize, layer.Config.ObjectOrNull("linear_attn_config"));
        var heads = Size(layer.Config, sizes, "num_heads", "linear_num_heads", 1 << 12);
        var width = Size(layer.Config, sizes, "head_dim", "linear_head_dim", 1 << 10);
        var taps = Size(layer.Config, sizes, "short_conv_kernel_size", "linear_conv_kernel_dim", 64);
        var all = heads * width;
        var root = 1 / MathF.Sqrt(width);
        var norm = new Step.Normalize(NormKind.RootMeanSquare, width, LeastSquares / width, null);
        Projection Linear(string name) => Projection.Of(layer.Linear(name, all, hidden));
        return new()
        {
            Streams = [],
            States = [new("window", new StateUpdate.Window(taps - 1, 3 * all, 3 * heads)), new("memory", new StateUpdate.DeltaRule(heads, width, width))],
            Shared =
            [
                new("mixed", Projection.Of(
                    new Step.Beside([Linear("q_proj"), Linear("k_proj"), Linear("v_proj")]), new Step.Remember("window"),
                    new Step.Convolve(MadeMatrix.Below(((string[])["q", "k", "v"]).Select(name => Taps(layer, name, heads, width, taps))).Reshape(1, 3 * all * taps), 3 * heads, taps),
                    new Step.Activate(Activation.Silu))),
                new("gate", Projection.Of(layer.Linear("g_a_proj", width, hidden), layer.Linear("g_b_proj", all, width), new Step.Activate(Activation.Sigmoid))),
            ],
            Recurrent = Projection.Of(
                // The norms of queries and keys are one; a query is divided by the root of its width besides.
                new Step.Delta(
                    "memory", Projection.Of(new Step.Take("mixed", 0, all), norm, new Step.Multiply(root * root)),
                    Projection.Of(new Step.Take("mixed", all, all), norm, new Step.Multiply(root)), Projection.Of(new Step.Take("mixed", 2 * all, all)))
                {
                    LogDecay = Projection.Of(
                        layer.Linear("f_a_proj", width, hidden), layer.Linear("f_b_proj", all, width) with { Bias = $"{layer.Prefix}dt_bias" },
                        new Step.Activate(Activation.Softplus), new Step.Convolve(Rates(layer, heads, width), 1, 1)),
                    Strength = Projection.Of(layer.Linear("b_proj", heads, hidden), new Step.Activate(Activation.Sigmoid)),
                },
                layer.Norm("o_norm", width), new Step.MultiplyBy(Projection.Of(new Step.Take("gate", 0, all))), layer.Linear("o_proj", hidden, all)),
        };
    }

    /// <summary>The weights of a convolution, [heads x taps x width] as one row a head.</summary>
    static MadeMatrix Taps(AttentionContext layer, string name, int heads, int width, int taps)
    {
        var stored = layer.Stored($"{name}_conv1d.weight", heads * width, 1, taps);
        return MadeMatrix.Below(Enumerable.Range(0, heads).Select(head => stored.Take(head * width, width).Transpose().Reshape(1, taps * width)));
    }

    /// <summary>How fast each channel fades: -e^A of its head.</summary>
    static MadeMatrix.Mapped Rates(AttentionContext layer, int heads, int width) =>
        new(new MadeMatrix.Spread(layer.Stored("A_log", 1, 1, heads, 1).Reshape(1, heads), width), static value => -Math.Exp(value));

    static int Size(ModelConfig config, ModelConfig? nested, string old, string key, int most)
    {
        var (from, name) = nested is null ? (config, key) : (nested, old);
        return from.Int(name) is var size && size >= 1 && size <= most ? size : throw from.Wrong(name, $"{from.Int(name)}", $"1 to {most}");
    }
}
