using System.Collections.Immutable;

namespace Serving.Model;

/// <summary>How rotary frequencies are derived from the base.</summary>
public enum RopeKind
{
    /// <summary>theta^(-2i/d), unchanged.</summary>
    Default,

    /// <summary>All frequencies divided by <see cref="RopeConfig.Factor"/>.</summary>
    Linear,

    /// <summary>Low frequencies divided by the factor, high ones kept, a ramp over wavelengths between.</summary>
    Llama3,

    /// <summary>YaRN: a ramp over dimensions, and cos and sin scaled by an attention factor.</summary>
    Yarn,

    /// <summary>One divisor per frequency, from the short or the long list by the length of the sequence.</summary>
    LongRope,

    /// <summary>A fixed larger base, theta * alpha^(d / (d - 2)).</summary>
    DynamicAlpha,
}

/// <summary>The rotary position encoding of a kind of layer, whichever keys the file said it in.</summary>
public sealed record RopeConfig(RopeKind Kind, float Theta)
{
    /// <summary>The share of a head's dimensions that is rotated, the first ones.</summary>
    public float PartialFactor { get; init; } = 1;

    /// <summary>Whether neighbours (2i, 2i+1) are a pair, not the halves (i, i + d/2).</summary>
    public bool Interleaved { get; init; }

    /// <summary>By how much the context was stretched (Linear, Llama3, Yarn; LongRope where the file says so).</summary>
    public float Factor { get; init; } = 1;

    /// <summary>The context length before it was stretched (Llama3, Yarn, LongRope), in tokens.</summary>
    public int OriginalPositions { get; init; }

    /// <summary>The context length of the model, in tokens.</summary>
    public int MaxPositions { get; init; }

    /// <summary>Llama3: wavelengths above original / this are stretched in full.</summary>
    public float LowFrequencyFactor { get; init; } = 1;

    /// <summary>Llama3: wavelengths below original / this are kept.</summary>
    public float HighFrequencyFactor { get; init; } = 4;

    /// <summary>Yarn: rotations over the original length from which a frequency is kept.</summary>
    public float BetaFast { get; init; } = 32;

    /// <summary>Yarn: rotations over the original length up to which a frequency is stretched in full.</summary>
    public float BetaSlow { get; init; } = 1;

    /// <summary>Yarn: whether the ends of the ramp are rounded to whole dimensions.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>Yarn: the weight of ln(factor) in the scale of cos and sin.</summary>
    public float? Mscale { get; init; }

    /// <summary>Yarn: the weight of ln(factor) that latent attention squares into its softmax scale.</summary>
    public float? MscaleAllDim { get; init; }

    /// <summary>The scale of cos and sin, where the file says it; else it follows from the other numbers.</summary>
    public float? AttentionFactor { get; init; }

    /// <summary>LongRope: divisors for sequences up to the original length, one per frequency.</summary>
    public ImmutableArray<float> ShortFactors { get; init; } = [];

    /// <summary>LongRope: divisors for longer sequences, one per frequency.</summary>
    public ImmutableArray<float> LongFactors { get; init; } = [];

    /// <summary>DynamicAlpha: the alpha of the larger base.</summary>
    public float Alpha { get; init; } = 1;

    /// <summary>How many frequencies follow the time, height and width of a position; empty where positions are plain.</summary>
    public ImmutableArray<int> Sections { get; init; } = [];

    /// <summary>The query of position p is scaled by 1 + this * ln(1 + floor(p / original)); 0 where it is not.</summary>
    public float QueryScaleBeta { get; init; }
}
