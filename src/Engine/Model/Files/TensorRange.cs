namespace Serving.Model;

/// <summary>Where a tensor says its bytes lie, counted from the start of the data.</summary>
readonly record struct TensorRange(string Name, long Start, long End)
{
    /// <summary>Throws if two ranges share a byte; sorts the ranges by their start.</summary>
    public static void RefuseOverlaps(string file, List<TensorRange> ranges)
    {
        ranges.Sort((a, b) => a.Start != b.Start ? a.Start.CompareTo(b.Start) : a.End.CompareTo(b.End));
        for (var i = 1; i < ranges.Count; i++)
            if (ranges[i].Start < ranges[i - 1].End)
                throw new CheckpointException($"{file}: tensors {ranges[i - 1]} and {ranges[i]} overlap.");
    }

    public override string ToString() => $"{Name} [{Start}, {End})";
}
