using System.Collections.Immutable;

namespace Serving.Attention;

/// <summary>
/// Rotary position embedding as numbers: pair i turns by position * Frequencies[i]; cosines and sines are multiplied by Magnitude.
/// Two plans with equal numbers share one table a step.
/// </summary>
/// <param name="Frequencies">Angle of each pair at position 1; the rotary width is twice as many.</param>
/// <param name="Magnitude">Factor on cosine and sine (YaRN, LongRoPE).</param>
/// <param name="Interleaved">Pairs are (2i, 2i + 1) instead of (i, i + width / 2).</param>
public sealed record RotaryPlan(ImmutableArray<double> Frequencies, double Magnitude = 1, bool Interleaved = false) : PositionTable
{
    /// <summary>Values that turn.</summary>
    public override int Width => 2 * Frequencies.Length;

    /// <summary>Frequencies for sequences longer than <see cref="OriginalLength"/> (LongRoPE); empty when one set serves all.</summary>
    public ImmutableArray<double> LongFrequencies { get; init; } = [];

    /// <summary>Which part of a token's place turns each pair: 0 for time, 1 for height, 2 for width; empty where places are plain positions.</summary>
    public ImmutableArray<int> Components { get; init; } = [];

    /// <summary>Length up to which <see cref="Frequencies"/> serve when there are <see cref="LongFrequencies"/>.</summary>
    public int OriginalLength { get; init; }

    /// <summary>
    /// Writes cosines and sines of one position: [cos x pairs | sin x pairs], computed in double precision.
    /// </summary>
    /// <param name="position">Position of the token.</param>
    /// <param name="lengthLimit">Most tokens its sequence may reach, which fixes the set of frequencies for all its positions.</param>
    /// <param name="values">Where they go: <see cref="Width"/> values.</param>
    public override void Fill(int position, int lengthLimit, Span<float> values)
    {
        var frequencies = LongFrequencies.IsEmpty || lengthLimit <= OriginalLength ? Frequencies : LongFrequencies;
        for (var i = 0; i < frequencies.Length; i++)
        {
            var (sin, cos) = Math.SinCos(position * frequencies[i]);
            values[i] = (float)(cos * Magnitude);
            values[frequencies.Length + i] = (float)(sin * Magnitude);
        }
    }

    /// <summary>Writes cosines and sines of a place: as of a position, each pair by its own part.</summary>
    public override void Fill(GridPlace place, int lengthLimit, Span<float> values)
    {
        Fill(place.Time, lengthLimit, values);
        for (var i = 0; i < Components.Length; i++)
        {
            var (sin, cos) = Math.SinCos(place[Components[i]] * Frequencies[i]);
            values[i] = (float)(cos * Magnitude);
            values[Frequencies.Length + i] = (float)(sin * Magnitude);
        }
    }

    /// <summary>Compares the numbers.</summary>
    public bool Equals(RotaryPlan? other) => other is not null && Magnitude == other.Magnitude && Interleaved == other.Interleaved
        && OriginalLength == other.OriginalLength && Frequencies.SequenceEqual(other.Frequencies) && LongFrequencies.SequenceEqual(other.LongFrequencies)
        && Components.SequenceEqual(other.Components);

    /// <summary>A hash of the numbers.</summary>
    public override int GetHashCode() => HashCode.Combine(Magnitude, Interleaved, Frequencies.Length, Frequencies.IsEmpty ? 0 : Frequencies[^1]);
}
