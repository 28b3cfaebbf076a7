namespace Serving.Text;

/// <summary>Cuts a text into pieces, from the front.</summary>
abstract class Splitter
{
    /// <summary>The next piece at or after <paramref name="at"/>, which is set to where the piece after it may begin; false at the end.</summary>
    public abstract bool Next(ReadOnlySpan<char> text, ref int at, out Range piece);
}

/// <summary>A splitter whose pieces are the whole text, without gaps.</summary>
abstract class Scanner : Splitter
{
    public sealed override bool Next(ReadOnlySpan<char> text, ref int at, out Range piece)
    {
        piece = default;
        if (at >= text.Length)
            return false;
        var end = End(text, at);
        piece = at..end;
        at = end;
        return true;
    }

    /// <summary>Where the piece that begins at <paramref name="start"/> ends: always after it.</summary>
    protected abstract int End(ReadOnlySpan<char> text, int start);

    /// <summary><c>\s+(?!\S)|\s+</c>: a run of spaces gives its last to the word that follows, unless it is its only one.</summary>
    protected static int EndOfSpaces(ReadOnlySpan<char> text, int start)
    {
        var end = CharClasses.Skip(text, start, CharClass.Space);
        return end == text.Length || end == start + 1 ? end : end - 1;
    }

    /// <summary><c>\s*[\r\n]+</c>: from a space to the last line break of its run of spaces; -1 where the run has none.</summary>
    protected static int EndOfLines(ReadOnlySpan<char> text, int start)
    {
        var end = CharClasses.Skip(text, start, CharClass.Space);
        var last = text[start..end].LastIndexOfAny('\r', '\n');
        return last < 0 ? -1 : start + last + 1;
    }
}
