using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Sampling;

/// <summary>
/// How a logit becomes a weight, its probability before normalisation: exp((logit - Peak) * InverseTemperature), 0 below Floor,
/// rounded to Grain's last bit.
/// </summary>
readonly record struct Weighing(float Peak, float InverseTemperature, float Floor, double Grain)
{
    /// <summary>
    /// Adding and subtracting this rounds a weight to a multiple of 2^-34. Sums of up to 2^19 such weights are exact in a double, so they
    /// do not depend on the order of adding; a token 17 billion times less likely than the best is never drawn.
    /// </summary>
    public const double DrawGrain = 1.5 * (1 << 18);

    /// <summary>The largest row whose sums are exact.</summary>
    public const int MaxVocabulary = 1 << 19;

    /// <summary>Weights for a draw at a temperature above 0, however small.</summary>
    public static Weighing ForDraw(float peak, float temperature, float floor) =>
        new(peak, Math.Min(1 / temperature, float.MaxValue), floor, DrawGrain);

    /// <summary>Weights of the unchanged distribution, not rounded.</summary>
    public static Weighing ForLogprobs(float peak) => new(peak, 1, float.MinValue, 0);
}

/// <summary>Weights of logits, sixteen at a time; the same numbers on every vector width, since each lane does the same fused operations.</summary>
static class RowWeights
{
    static readonly int Lanes = Vector512<float>.Count;

    /// <summary>The sum of a row's weights.</summary>
    public static double Sum(ReadOnlySpan<float> row, in Weighing weighing)
    {
        var vectors = MemoryMarshal.Cast<float, Vector512<float>>(row);
        var grain = Vector512.Create(weighing.Grain);
        Vector512<double> low = default, high = default;
        foreach (ref readonly var logits in vectors)
            Accumulate(Weigh(logits, weighing), grain, ref low, ref high);
        var tail = row[(vectors.Length * Lanes)..];
        if (!tail.IsEmpty)
            Accumulate(Weigh(Padded(tail), weighing), grain, ref low, ref high);
        return Vector512.Sum(low + high);
    }

    /// <summary>The weight of every logit of the row.</summary>
    public static void Fill(ReadOnlySpan<float> row, in Weighing weighing, Span<double> weights)
    {
        var vectors = MemoryMarshal.Cast<float, Vector512<float>>(row);
        var targets = MemoryMarshal.Cast<double, Vector512<double>>(weights[..row.Length]);
        var grain = Vector512.Create(weighing.Grain);
        for (var i = 0; i < vectors.Length; i++)
        {
            var weight = Weigh(vectors[i], weighing);
            targets[2 * i] = Round(Vector512.WidenLower(weight), grain);
            targets[2 * i + 1] = Round(Vector512.WidenUpper(weight), grain);
        }

        var done = vectors.Length * Lanes;
        if (done == row.Length)
            return;
        var last = Weigh(Padded(row[done..]), weighing);
        for (var i = done; i < row.Length; i++)
            weights[i] = last[i - done] + weighing.Grain - weighing.Grain;
    }

    /// <summary>The sum of weights.</summary>
    public static double Sum(ReadOnlySpan<double> weights)
    {
        var vectors = MemoryMarshal.Cast<double, Vector512<double>>(weights);
        Vector512<double> even = default, odd = default;
        for (var i = 0; i + 1 < vectors.Length; i += 2)
        {
            even += vectors[i];
            odd += vectors[i + 1];
        }

        var sum = Vector512.Sum(even + odd);
        foreach (var weight in weights[((vectors.Length & ~1) * Vector512<double>.Count)..])
            sum += weight;
        return sum;
    }

    static void Accumulate(Vector512<float> weight, Vector512<double> grain, ref Vector512<double> low, ref Vector512<double> high)
    {
        low += Round(Vector512.WidenLower(weight), grain);
        high += Round(Vector512.WidenUpper(weight), grain);
    }

    static Vector512<double> Round(Vector512<double> weight, Vector512<double> grain) => weight + grain - grain;

    static Vector512<float> Weigh(Vector512<float> logits, in Weighing weighing)
    {
        var weights = Exp((logits - Vector512.Create(weighing.Peak)) * Vector512.Create(weighing.InverseTemperature));
        return Vector512.ConditionalSelect(
            Vector512.GreaterThanOrEqual(logits, Vector512.Create(weighing.Floor)), weights, Vector512<float>.Zero);
    }

    static Vector512<float> Padded(ReadOnlySpan<float> tail)
    {
        Span<float> padded = stackalloc float[Vector512<float>.Count];
        padded.Fill(float.NegativeInfinity);
        tail.CopyTo(padded);
        return Vector512.Create<float>(padded);
    }

    /// <summary>
    /// e^x for x at most 0 within 2 units in the last place, by Cephes' expf: x = n ln 2 + r, a polynomial for e^r, n added to the exponent.
    /// Below -87, where a float's weight vanishes beside the best token's 1, it stays at e^-87.
    /// </summary>
    internal static Vector512<float> Exp(Vector512<float> x)
    {
        const float Log2E = 1.44269504f, Ln2High = 0.693359375f, Ln2Low = -2.12194440e-4f;
        var roundToInteger = Vector512.Create(12582912f);      // 1.5 * 2^23: the sum's low bits are the nearest integer
        x = Vector512.MaxNative(x, Vector512.Create(-87f));
        var shifted = Vector512.FusedMultiplyAdd(x, Vector512.Create(Log2E), roundToInteger);
        var n = shifted - roundToInteger;
        var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Ln2High), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Ln2Low), r);
        var p = Vector512.FusedMultiplyAdd(r, Vector512.Create(1.9875691500E-4f), Vector512.Create(1.3981999507E-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(8.3334519073E-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(4.1665795894E-2f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.6666665459E-1f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(5.0000001201E-1f));
        p = Vector512.FusedMultiplyAdd(p, r * r, r + Vector512<float>.One);
        return (p.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();
    }
}
