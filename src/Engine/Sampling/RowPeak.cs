using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Sampling;

/// <summary>The largest logit of a row and the lowest id that has it; a row with nothing to choose or with a broken number has an Outcome that says so.</summary>
readonly record struct RowPeak(int Id, float Value)
{
    const int VectorsPerBlock = 4;
    static readonly int Block = VectorsPerBlock * Vector512<float>.Count;

    /// <summary>Chosen when Id is the best token; NothingAllowed for a row of negative infinities; NotFinite for one with NaN or positive infinity.</summary>
    public SampleOutcome Outcome => Value switch
    {
        float.NegativeInfinity => SampleOutcome.NothingAllowed,
        < float.PositiveInfinity => SampleOutcome.Chosen,
        _ => SampleOutcome.NotFinite,
    };

    /// <summary>One pass over the row; negative infinity is a masked token, negative and positive zero are equal.</summary>
    public static RowPeak Of(ReadOnlySpan<float> row)
    {
        var vectors = MemoryMarshal.Cast<float, Vector512<float>>(row);
        var peak = new RowPeak(0, float.NegativeInfinity);
        var best = Vector512.Create(peak.Value);
        var whole = vectors.Length - vectors.Length % VectorsPerBlock;
        for (var i = 0; i < whole; i += VectorsPerBlock)
        {
            // Vector512.Max hands a NaN on (IEEE 754:2019 maximum), so one comparison finds both a better block and a broken one.
            var high = Vector512.Max(Vector512.Max(vectors[i], vectors[i + 1]), Vector512.Max(vectors[i + 2], vectors[i + 3]));
            if (Vector512.LessThanOrEqualAll(high, best))
                continue;
            peak = peak.Extend(row.Slice(i * Vector512<float>.Count, Block), i * Vector512<float>.Count);
            if (peak.Outcome == SampleOutcome.NotFinite)
                return peak;
            best = Vector512.Create(peak.Value);
        }

        var tail = whole * Vector512<float>.Count;
        return peak.Extend(row[tail..], tail);
    }

    RowPeak Extend(ReadOnlySpan<float> part, int firstId)
    {
        var (id, value) = this;
        for (var i = 0; i < part.Length; i++)
        {
            if (part[i] <= value)
                continue;
            (id, value) = (firstId + i, part[i]);
            if (!float.IsFinite(value))
                break;
        }

        return new(id, value);
    }
}
