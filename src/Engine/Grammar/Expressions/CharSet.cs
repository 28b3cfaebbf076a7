using System.Collections.Immutable;
using System.Text;

namespace Serving.Grammar.Expressions;

/// <summary>A set of Unicode scalar values, as ascending ranges that do not touch.</summary>
sealed class CharSet
{
    const int Last = 0x10FFFF, FirstSurrogate = 0xD800, LastSurrogate = 0xDFFF;

    CharSet(ImmutableArray<(int Low, int High)> ranges) => Ranges = ranges;

    public ImmutableArray<(int Low, int High)> Ranges { get; }

    public bool IsEmpty => Ranges.IsEmpty;

    public static CharSet All { get; } = Of((0, Last));

    public static CharSet None { get; } = new([]);

    /// <summary>The union of the ranges, without surrogates, which are no characters.</summary>
    public static CharSet Of(params IEnumerable<(int Low, int High)> ranges)
    {
        var sorted = ranges.Where(r => r.Low <= r.High).SelectMany(Scalars).Order().ToList();
        var joined = ImmutableArray.CreateBuilder<(int Low, int High)>();
        foreach (var (low, high) in sorted)
        {
            if (joined.Count > 0 && low <= joined[^1].High + 1)
                joined[^1] = (joined[^1].Low, Math.Max(joined[^1].High, high));
            else
                joined.Add((low, high));
        }
        return new(joined.DrainToImmutable());
    }

    public static CharSet Of(string characters) => Of(characters.EnumerateRunes().Select(rune => (rune.Value, rune.Value)));

    public CharSet Or(CharSet other) => Of(Ranges.Concat(other.Ranges));

    public CharSet Inverse()
    {
        var gaps = new List<(int, int)>();
        var next = 0;
        foreach (var (low, high) in Ranges)
        {
            gaps.Add((next, low - 1));
            next = high + 1;
        }
        gaps.Add((next, Last));
        return Of(gaps);
    }

    public CharSet Except(CharSet other) => other.Inverse().And(this);

    public CharSet And(CharSet other) => Of(
        from a in Ranges
        from b in other.Ranges
        select (Math.Max(a.Low, b.Low), Math.Min(a.High, b.High)));

    public bool Contains(int character) => Ranges.Any(r => character >= r.Low && character <= r.High);

    /// <summary>One character of the set in UTF-8.</summary>
    public Expr ToUtf8() => Expr.OneOf(Ranges.SelectMany(r => Utf8Ranges.Of(r.Low, r.High)));

    static IEnumerable<(int Low, int High)> Scalars((int Low, int High) range)
    {
        var (low, high) = (Math.Max(range.Low, 0), Math.Min(range.High, Last));
        if (low < FirstSurrogate)
            yield return (low, Math.Min(high, FirstSurrogate - 1));
        if (high > LastSurrogate)
            yield return (Math.Max(low, LastSurrogate + 1), high);
    }
}
