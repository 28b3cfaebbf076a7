using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Serving.Text;

/// <summary>An expression of a published tokenizer (Oniguruma's syntax, over code points) made to run on the runtime's engine (over UTF-16 units).</summary>
/// <remarks>A text with characters above U+FFFF is matched through a shadow in which each is one unit of the same category, so that <c>\p{L}</c> and the like see it.
/// Ranges of such characters in the pattern itself get a private-use unit each.</remarks>
sealed partial class SplitPattern
{
    const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    const string ContractionsSpelled = "(?:'[sS\u017F]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
    const char FirstPrivate = '\uE000';

    const int LongestPattern = 4096;

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);
    static readonly Dictionary<UnicodeCategory, char> Stand = MakeStandIns();

    readonly List<(int First, int Last)> _ranges = [];

    public SplitPattern(string pattern, string where)
    {
        if (pattern.Length > LongestPattern)
            throw new InvalidDataException($"{where}: the split pattern has {pattern.Length} characters; at most {LongestPattern} are read.");
        var spelled = pattern.Replace(Contractions, ContractionsSpelled, StringComparison.Ordinal);
        foreach (var construct in (ReadOnlySpan<string>)["&&", "[:", "-[", "(?i", "\\Z", "\\z", "\\G"])
            if (spelled.Contains(construct, StringComparison.Ordinal))
                throw new InvalidDataException($"{where}: the split pattern {pattern} uses '{construct}', which is not understood in the same way here.");
        spelled = AboveBasic().Replace(spelled, Stands);
        if (_ranges.Count > 0 && (spelled.Contains("\\p", StringComparison.OrdinalIgnoreCase) || spelled.Contains("\\w", StringComparison.OrdinalIgnoreCase)))
            throw new InvalidDataException($"{where}: the split pattern {pattern} has both classes and characters above U+FFFF, which is not supported.");
        Regex = Compile(spelled, pattern, where);
    }

    public Regex Regex { get; }

    /// <summary>Writes one unit for each code point, and where each stands in the text; returns how many.</summary>
    public int Shadow(ReadOnlySpan<char> text, Span<char> shadow, Span<int> places)
    {
        var count = 0;
        for (var at = 0; at < text.Length; count++)
        {
            Rune.DecodeFromUtf16(text[at..], out var rune, out var length);
            places[count] = at;
            shadow[count] = StandIn(rune);
            at += length;
        }
        places[count] = text.Length;
        return count;
    }

    char StandIn(Rune rune)
    {
        if (rune.IsBmp)
            return rune.Value is >= FirstPrivate and <= 0xF8FF ? '\uF8FF' : (char)rune.Value;
        for (var i = 0; i < _ranges.Count; i++)
            if (rune.Value >= _ranges[i].First && rune.Value <= _ranges[i].Last)
                return (char)(FirstPrivate + i);
        return Stand[Rune.GetUnicodeCategory(rune)];
    }

    string Stands(Match range)
    {
        var first = char.ConvertToUtf32(range.Value, 0);
        _ranges.Add((first, range.Length > 2 ? char.ConvertToUtf32(range.Value, 3) : first));
        return ((char)(FirstPrivate + _ranges.Count - 1)).ToString();
    }

    static Regex Compile(string spelled, string pattern, string where)
    {
        // Oniguruma's $ and ^ stand at every line.
        const RegexOptions Options = RegexOptions.Multiline | RegexOptions.CultureInvariant;
        try
        {
            try
            {
                return new(spelled, Options | RegexOptions.NonBacktracking, Limit);
            }
            catch (NotSupportedException)
            {
                return new(spelled, Options, Limit);
            }
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{where}: the split pattern {pattern} is not understood: {error.Message}", error);
        }
    }

    // Those of A4D0 to ABFF are letters, digits and marks of scripts that no published pattern names.
    static Dictionary<UnicodeCategory, char> MakeStandIns()
    {
        var stands = new Dictionary<UnicodeCategory, char>();
        foreach (var (first, last) in (ReadOnlySpan<(int, int)>)[(0xA4D0, 0xABFF), (0x0250, 0xFFFF)])
            for (var unit = first; unit <= last; unit++)
                stands.TryAdd(CharUnicodeInfo.GetUnicodeCategory((char)unit), (char)unit);
        return stands;
    }

    [GeneratedRegex(@"[\uD800-\uDBFF][\uDC00-\uDFFF](-[\uD800-\uDBFF][\uDC00-\uDFFF])?")]
    private static partial Regex AboveBasic();
}
