using System.Collections.Immutable;
using Serving.Devices;
using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>
/// Compressed convolutional attention (Figliolia et al., arXiv 2510.04476) as ZAYA1 has it: queries and keys pass through two causal
/// convolutions, one value by value and one head by head, are added to their means and divided by their norms; half of the values are
/// those of the token before. With fewer key heads than query heads it is CCGQA.
/// </summary>
public sealed class Cca : IAttentionFamily
{
    // Of float32: what the published implementation's norm is clamped at.
    const float LeastNorm = 1.1920929e-07f;

    /// <inheritdoc/>
    public string Name => "CCA";

    /// <inheritdoc/>
    public ImmutableArray<string> ModelTypes => ["cca"];

    /// <inheritdoc/>
    public bool Describes(AttentionContext layer) => layer.Has("qkv_proj.conv_qk_depthwise.weight");

    /// <inheritdoc/>
    public IEnumerable<SchemeSketch> Sketches(HeadSizes sizes) =>
    [
        SchemeSketch.Of("CCGQA", "a compressed key and value of d for each 8 heads, as ZAYA1 (beside them a window a sequence, not counted here)",
            ("key", sizes.Width, Math.Max(1, sizes.Heads / 8)), ("value", sizes.Width, Math.Max(1, sizes.Heads / 8))),
    ];

    /// <inheritdoc/>
    public AttentionPlan Plan(AttentionContext layer)
    {
        var (hidden, heads, groups, width, config) = (layer.HiddenSize, layer.Heads, layer.Groups, layer.HeadWidth, layer.Config);
        if (groups < 1 || heads % groups != 0) throw config.Wrong("num_key_value_heads", $"{groups}", $"a divisor of the {heads} query heads");
        if (groups * width % 2 != 0) throw config.Wrong("head_dim", $"{width}", $"an even number of values in {groups} heads: half of them are delayed");
        var (all, half, before) = (heads + groups, groups * width / 2, Taps(config, "cca_time0") + Taps(config, "cca_time1") - 2);
        var factor = Math.Sqrt(width);
        var temperature = layer.Stored("qk_norm.temp", groups);
        if (config.Bool("clamp_temp", false)) temperature = new MadeMatrix.Mapped(temperature, static value => Math.Exp(Math.Clamp(value, 1e-7, 2)));
        return new()
        {
            States = [new("window", new StateUpdate.Window(before, all * width, all)), new("delayed", new StateUpdate.Window(1, half))],
            Shared = [new("mixed", Projection.Of(
                new Step.Beside([Projection.Of(Part(layer, "q_proj", heads * width)), Projection.Of(Part(layer, "k_proj", groups * width))]),
                new Step.Sum([
                    Projection.Of(new Step.Remember("window"), new Step.LinearByHead([.. Enumerable.Range(0, all).Select(head => Both(layer, head))])),
                    Projection.Of(Step.Linear.From(Means(heads, groups, width), Constant(layer)))])))],
            Streams =
            [
                new("key", Projection.Of(
                    new Step.Take("mixed", heads * width, groups * width),
                    new Step.Normalize(NormKind.Euclid, width, LeastNorm, null)
                    {
                        Made = new MadeMatrix.Mapped(new MadeMatrix.Spread(temperature, width), value => value * factor),
                    }, layer.Rotate(width)), width, groups),
                new("value", Projection.Of(new Step.Beside([Projection.Of(Part(layer, "v_proj_current", half)), Delayed(layer, half)])), width, groups),
            ],
            // Keys carry the root of the width, which the scale would take away again from queries.
            Branches = [new(heads, Projection.Of(
                new Step.Take("mixed", 0, heads * width), new Step.Normalize(NormKind.Euclid, width, LeastNorm, null), layer.Rotate(width)), "key")
            {
                Value = "value",
                Scale = 1,
                Output = Projection.Of(layer.Linear("o_proj", hidden, heads * width)),
            }],
            Rows = layer.Rows,
        };
    }

    static int Taps(ModelConfig config, string key) =>
        config.Int(key, 2) is var taps and >= 1 and <= 64 ? taps : throw config.Wrong(key, $"{config.Int(key, 2)}", "1 to 64 tokens");

    static Step.Linear Part(AttentionContext layer, string name, int outputs) => layer.Linear($"qkv_proj.{name}", outputs, layer.HiddenSize);

    // Before the first token the projection without bias is zero; the bias comes after the delay.
    static Projection Delayed(AttentionContext layer, int half) => Projection.Of(
        Part(layer, "v_proj_delayed", half) with { Bias = null }, new Step.Remember("delayed"),
        new Step.Convolve(new MadeMatrix.Given(1, 2 * half, (_, column) => column < half ? 1 : 0), 1, 2)
        {
            Bias = layer.Has("qkv_proj.v_proj_delayed.bias") ? layer.Stored("qkv_proj.v_proj_delayed.bias", half) : null,
        });

    /// <summary>Both convolutions of a head over a window as one matrix: tap m is the sum of G_j diag(A_i) over i + j = m.</summary>
    static MadeMatrix Both(AttentionContext layer, int head)
    {
        var (first, second) = (Depthwise(layer, head), Grouped(layer, head));
        return MadeMatrix.Below(Enumerable.Range(0, first.Length + second.Length - 1).Select(tap => Enumerable.Range(0, first.Length)
            .Where(i => tap - i >= 0 && tap - i < second.Length)
            .Select(i => second[tap - i].Times(new MadeMatrix.Diagonal(first[i])))
            .Aggregate((left, right) => new MadeMatrix.Sum(left, right)).Transpose())).Transpose();
    }

    /// <summary>What the convolutions give of zeros, all heads: the second one's bias, and what it makes of the first one's.</summary>
    static MadeMatrix Constant(AttentionContext layer)
    {
        var (heads, width) = (layer.Heads + layer.Groups, layer.HeadWidth);
        MadeMatrix Bias(string name) => layer.Stored($"qkv_proj.{name}.bias", heads * width).Reshape(heads, width);
        var made = MadeMatrix.Below(Enumerable.Range(0, heads).Select(head => Bias("conv_qk_depthwise").Take(head, 1)
            .Times(Grouped(layer, head).Aggregate((left, right) => new MadeMatrix.Sum(left, right)).Transpose())));
        return new MadeMatrix.Sum(made, Bias("conv_qk_grouped")).Reshape(1, heads * width);
    }

    static MadeMatrix[] Depthwise(AttentionContext layer, int head)
    {
        var (taps, width) = (layer.Config.Int("cca_time0", 2), layer.HeadWidth);
        var rows = layer.Stored("qkv_proj.conv_qk_depthwise.weight", (layer.Heads + layer.Groups) * width, 1, taps).Take(head * width, width).Transpose();
        return [.. Enumerable.Range(0, taps).Select(tap => rows.Take(tap, 1))];
    }

    static MadeMatrix[] Grouped(AttentionContext layer, int head)
    {
        var (taps, width) = (layer.Config.Int("cca_time1", 2), layer.HeadWidth);
        var rows = layer.Stored("qkv_proj.conv_qk_grouped.weight", (layer.Heads + layer.Groups) * width, width, taps)
            .Take(head * width * width, width * width).Transpose();
        return [.. Enumerable.Range(0, taps).Select(tap => rows.Take(tap, 1).Reshape(width, width))];
    }

    /// <summary>Half of a query and half of its group's key; for keys the mean of that over the group.</summary>
    static MadeMatrix.Given Means(int heads, int groups, int width)
    {
        var each = heads / groups;
        return new((heads + groups) * width, (heads + groups) * width, (row, column) =>
        {
            var (to, from) = (row / width, column / width);
            if (row % width != column % width) return 0;
            var (group, key) = (to < heads ? to / each : to - heads, from >= heads);
            if (key) return from - heads == group ? 0.5 : 0;
            return to < heads ? (from == to ? 0.5 : 0) : from / each == group ? 0.5 / each : 0;
        });
    }
}
