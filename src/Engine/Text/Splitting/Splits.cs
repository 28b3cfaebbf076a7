using System.Text.Json;

namespace Serving.Text;

/// <summary>What becomes of a match of a split pattern.</summary>
enum SplitKind
{
    /// <summary>It vanishes.</summary>
    Removed,
    /// <summary>It is a piece of its own.</summary>
    Isolated,
    /// <summary>It ends the piece before it.</summary>
    MergedWithPrevious,
    /// <summary>It begins the piece after it.</summary>
    MergedWithNext,
    /// <summary>It is one piece with the matches beside it.</summary>
    Contiguous,
}

/// <summary>What becomes of matches; <paramref name="Invert"/> swaps them with the text between.</summary>
readonly record struct SplitBehavior(SplitKind Kind, bool Invert);

/// <summary>Split patterns to splitters: a scanner for each known pattern.</summary>
static class Splits
{
    const string English = "'s|'t|'re|'ve|'m|'ll|'d";

    static readonly Dictionary<string, Func<Splitter>> Known = new()
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

    public static Splitter Read(JsonElement pattern, SplitBehavior behavior, string where)
    {
        if (pattern.ValueKind == JsonValueKind.Object && pattern.TryGetProperty("Regex", out var regex)
            && behavior == new SplitBehavior(SplitKind.Isolated, false)
            && Known.TryGetValue(JsonSections.Text(regex, $"{where}.pattern.Regex"), out var scanner))
            return scanner();
        throw new InvalidDataException($"tokenizer.json: {where}.pattern is {JsonSections.Short(pattern)}, which is not known here.");
    }

    static string Cl100k(string digits) =>
        $@"(?i:{English})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
}
