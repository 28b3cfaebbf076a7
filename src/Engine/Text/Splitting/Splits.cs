using System.Text.RegularExpressions;

namespace Serving.Text;

/// <summary>Split patterns to splitters: a scanner for each known pattern, the expression itself for others.</summary>
static class Splits
{
    const string English = "'s|'t|'re|'ve|'m|'ll|'d";

    static readonly Dictionary<string, Func<Splitter>> Scanners = new()
    {
        [$@"{English}| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|\s+(?!\S)|\s+"] = () => new Gpt2Scanner(),
        [Cl100k(@"\p{N}")] = () => new Cl100kScanner(1),
        [Cl100k(@"\p{N}{1,3}")] = () => new Cl100kScanner(3),
        [@"\p{N}"] = () => new DigitScanner(1),
        [@"\p{N}{1,3}"] = () => new DigitScanner(3),
        [@"\p{N}+"] = () => new DigitScanner(int.MaxValue),
        ["[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"] = () => new CjkScanner(),
        ["[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"] =
            () => new DeepSeekScanner(),
    };

    /// <summary>A splitter for an expression.</summary>
    /// <exception cref="InvalidDataException">The expression means something else here, or nothing; the message begins with <paramref name="where"/>.</exception>
    public static Splitter ByExpression(string pattern, SplitBehavior behavior, string where) =>
        behavior == SplitBehavior.Isolated && Scanners.TryGetValue(pattern, out var scanner) ? scanner()
        : new RegexSplitter(new SplitPattern(pattern, where), behavior);

    /// <summary>A splitter for a string as it stands.</summary>
    public static Splitter ByString(string text, SplitBehavior behavior, string where) =>
        new RegexSplitter(new SplitPattern(Regex.Escape(text), where), behavior);

    static string Cl100k(string digits) =>
        $@"(?i:{English})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
}
