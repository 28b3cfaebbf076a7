using System.Collections.Immutable;
using Serving.Attention;

namespace Serving.Model;

/// <summary>From a model's rotary configuration to the numbers of a <see cref="RotaryPlan"/>.</summary>
public static class RotaryFrequencies
{
    /// <summary>The rotary embedding of vectors of a width; a partial one turns the first values only, rounded down to whole pairs.</summary>
    public static RotaryPlan Plan(this RopeConfig rope, int width)
    {
        var turned = (int)(width * rope.PartialFactor) / 2 * 2;
        if (turned < 2 || turned > width)
            throw new CheckpointException($"A rotary embedding turns {turned} of {width} values, by partial_rotary_factor = {rope.PartialFactor} of head_dim or of a rotary width of {width}; expected 2 to {width}.");
        var theta = rope.Kind == RopeKind.DynamicAlpha ? rope.Theta * Math.Pow(rope.Alpha, turned / (turned - 2.0)) : rope.Theta;
        double[] plain = [.. Enumerable.Range(0, turned / 2).Select(i => Math.Pow(theta, -2.0 * i / turned))];
        if (rope.Sections is { IsDefaultOrEmpty: false } sections && (sections.Length != 3 || sections.Any(count => count < 0) || sections.Sum(count => (long)count) != turned / 2))
            throw new CheckpointException($"mrope_section is [{string.Join(", ", sections)}]; expected three numbers of pairs, {turned / 2} in all.");
        ImmutableArray<int> components = rope.Sections.IsDefaultOrEmpty ? [] : [.. rope.Sections.SelectMany((count, part) => Enumerable.Repeat(part, count))];
        return Turned(rope, plain, turned) with { Components = components };
    }

    static RotaryPlan Turned(RopeConfig rope, double[] plain, int turned) => rope.Kind switch
    {
        RopeKind.Linear => new([.. plain.Select(f => f / rope.Factor)], 1, rope.Interleaved),
        RopeKind.Llama3 => new([.. plain.Select(f => Llama3(f, rope))], 1, rope.Interleaved),
        RopeKind.Yarn => new([.. plain.Select((f, i) => Yarn(f, i, turned, rope))], rope.YarnMagnitude(), rope.Interleaved),
        RopeKind.LongRope => LongRope(plain, rope),
        _ => new([.. plain], 1, rope.Interleaved),
    };

    /// <summary>The factor that YaRN with mscale_all_dim puts on queries and keys alike, and so twice on scores; 1 without.</summary>
    public static double ScoreMagnitude(this RopeConfig rope) =>
        rope is { Kind: RopeKind.Yarn, MscaleAllDim: { } all and not 0 } ? Magnitude(all, rope.Factor) : 1;

    static double Magnitude(double scale, double factor) => factor <= 1 ? 1 : 0.1 * scale * Math.Log(factor) + 1;

    static double YarnMagnitude(this RopeConfig rope) => rope.AttentionFactor
        ?? (rope is { Mscale: { } some and not 0, MscaleAllDim: { } all and not 0 }
            ? Magnitude(some, rope.Factor) / Magnitude(all, rope.Factor)
            : Magnitude(1, rope.Factor));

    /// <summary>Long wavelengths are stretched, short ones kept, those between blended (Llama 3.1).</summary>
    static double Llama3(double frequency, RopeConfig rope)
    {
        var wavelength = 2 * Math.PI / frequency;
        if (wavelength < rope.OriginalPositions / rope.HighFrequencyFactor) return frequency;
        if (wavelength > rope.OriginalPositions / rope.LowFrequencyFactor) return frequency / rope.Factor;
        var smooth = (rope.OriginalPositions / wavelength - rope.LowFrequencyFactor) / (rope.HighFrequencyFactor - rope.LowFrequencyFactor);
        return (1 - smooth) * frequency / rope.Factor + smooth * frequency;
    }

    /// <summary>A ramp over pairs from kept to stretched (YaRN, arXiv 2309.00071, section 3.2).</summary>
    static double Yarn(double frequency, int pair, int width, RopeConfig rope)
    {
        double Pair(double turns) => width * Math.Log(rope.OriginalPositions / (2 * Math.PI * turns)) / (2 * Math.Log(rope.Theta));
        var (low, high) = (Pair(rope.BetaFast), Pair(rope.BetaSlow));
        if (rope.Truncate) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, width - 1));
        if (low == high) high += 0.001;
        var ramp = Math.Clamp((pair - low) / (high - low), 0, 1);
        return frequency * (1 - ramp) + frequency / rope.Factor * ramp;
    }

    static RotaryPlan LongRope(double[] plain, RopeConfig rope)
    {
        ImmutableArray<double> Divided(ImmutableArray<float> factors, string key) => factors.Length == plain.Length
            ? [.. plain.Select((f, i) => f / factors[i])]
            : throw new CheckpointException($"rope scaling: {key} has {factors.Length} factors; expected {plain.Length}, one for each turned pair.");
        var magnitude = rope.AttentionFactor
            ?? (rope.Factor <= 1 ? 1 : Math.Sqrt(1 + Math.Log(rope.Factor) / Math.Log(rope.OriginalPositions)));
        return new(Divided(rope.ShortFactors, "short_factor"), magnitude, rope.Interleaved)
        {
            LongFrequencies = Divided(rope.LongFactors, "long_factor"),
            OriginalLength = rope.OriginalPositions,
        };
    }
}
