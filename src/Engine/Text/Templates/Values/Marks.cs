namespace Serving.Text.Templates.Values;

/// <summary>Which UTF-16 ranges of a string are text of the request; ascending, disjoint pairs of start and end.</summary>
readonly struct Marks
{
    readonly int[]? _ends;

    Marks(int[]? ends) => _ends = ends;

    public bool Any => _ends is not null;

    public ReadOnlySpan<int> Ends => _ends;

    public static Marks Whole(int length) => new(length == 0 ? null : [0, length]);

    public static Marks Of(List<int> ends) => new(ends.Count == 0 ? null : [.. ends]);

    /// <summary>The marks of a substring, counted from its start.</summary>
    public Marks Slice(int start, int length)
    {
        if (_ends is null || length == 0) return default;
        var kept = new List<int>(_ends.Length);
        for (var i = 0; i < _ends.Length; i += 2)
        {
            var (from, to) = (Math.Max(_ends[i] - start, 0), Math.Min(_ends[i + 1] - start, length));
            if (from < to) kept.AddRange([from, to]);
        }
        return Of(kept);
    }

    /// <summary>Adds a range to a list of ends, joining it to the last one where they touch.</summary>
    public static void Add(List<int> ends, int from, int to)
    {
        if (ends.Count > 0 && ends[^1] == from) ends[^1] = to;
        else ends.AddRange([from, to]);
    }

    public IReadOnlyList<Range> ToRanges()
    {
        var ranges = new Range[Ends.Length / 2];
        for (var i = 0; i < ranges.Length; i++) ranges[i] = _ends![2 * i].._ends[2 * i + 1];
        return ranges;
    }
}
