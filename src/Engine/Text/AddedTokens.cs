using System.Buffers;
using System.Globalization;

namespace Serving.Text;

/// <summary>A token that is found in the text itself, before any merging.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">How it is spelled.</param>
/// <param name="Guarded">Structure of a prompt: not recognised where the text is literal.</param>
sealed record AddedToken(int Id, string Content, bool Guarded)
{
    /// <summary>Only where no word character touches it.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Takes the white space before it.</summary>
    public bool TakesLeft { get; init; }

    /// <summary>Takes the white space after it.</summary>
    public bool TakesRight { get; init; }

    /// <summary>Whether a spelling is one that models use for structure alone, whatever its file says: <c>&lt;|…|&gt;</c>, also with full-width bars.</summary>
    public static bool LooksLikeControl(string content) =>
        content.StartsWith("<|", StringComparison.Ordinal) && content.EndsWith("|>", StringComparison.Ordinal)
        || content.StartsWith("<\uFF5C", StringComparison.Ordinal) && content.EndsWith("\uFF5C>", StringComparison.Ordinal);
}

/// <summary>Finds added tokens in a text: at the leftmost place, the longest there.</summary>
sealed class AddedTokens
{
    const int LongestContent = 1024;

    readonly Dictionary<(int Node, char Next), int> _edges = [];
    readonly List<AddedToken?> _ends = [null];
    readonly SearchValues<char> _firsts;

    public AddedTokens(IEnumerable<AddedToken> tokens)
    {
        foreach (var token in tokens)
            Add(token);
        _firsts = SearchValues.Create([.. _edges.Keys.Where(edge => edge.Node == 0).Select(edge => edge.Next)]);
    }

    /// <summary>The next added token at or after <paramref name="from"/> and the range it takes; null at the end.</summary>
    public AddedToken? Next(MarkedText text, int from, out Range range)
    {
        for (var at = from; at < text.Text.Length; at++)
        {
            var skip = text.Text[at..].IndexOfAny(_firsts);
            if (skip < 0)
                break;
            at += skip;
            if (Longest(text, at) is not { } token)
                continue;
            var end = at + token.Content.Length;
            if (token.SingleWord && (EndsInWord(text.Text[..at]) || StartsWithWord(text.Text[end..])))
            {
                at = end - 1;
                continue;
            }
            range = (token.TakesLeft ? SpacesBefore(text.Text, from, at) : at)..(token.TakesRight ? SpacesAfter(text.Text, end) : end);
            return token;
        }
        range = default;
        return null;
    }

    AddedToken? Longest(MarkedText text, int start)
    {
        AddedToken? longest = null;
        for (int at = start, node = 0; at < text.Text.Length && _edges.TryGetValue((node, text.Text[at]), out node);)
        {
            at++;
            if (_ends[node] is { } token && !(token.Guarded && text.Literal[start..at].Contains(true)))
                longest = token;
        }
        return longest;
    }

    void Add(AddedToken token)
    {
        if (token.Content.Length is 0 or > LongestContent)
            throw new InvalidDataException(
                $"The added token {token.Id} has {token.Content.Length} characters; it must have 1 to {LongestContent}.");
        var node = 0;
        foreach (var unit in token.Content)
        {
            if (!_edges.TryGetValue((node, unit), out var next))
            {
                _edges[(node, unit)] = next = _ends.Count;
                _ends.Add(null);
            }
            node = next;
        }
        _ends[node] ??= token;
    }

    static int SpacesBefore(ReadOnlySpan<char> text, int from, int at)
    {
        while (at > from && char.IsWhiteSpace(text[at - 1]))
            at--;
        return at;
    }

    static int SpacesAfter(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at]))
            at++;
        return at;
    }

    static bool EndsInWord(ReadOnlySpan<char> text) => text.Length > 0 && IsWord(text[^1]);

    static bool StartsWithWord(ReadOnlySpan<char> text) => text.Length > 0 && IsWord(text[0]);

    static bool IsWord(char unit) => char.IsLetterOrDigit(unit) || char.IsSurrogate(unit)
        || char.GetUnicodeCategory(unit) is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.NonSpacingMark
            or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;
}
