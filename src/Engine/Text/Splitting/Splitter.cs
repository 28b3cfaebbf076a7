namespace Serving.Text;

/// <summary>Cuts a text into pieces.</summary>
abstract class Splitter
{
    public abstract void Split(ReadOnlySpan<char> text, PieceSink pieces);
}

/// <summary>Takes the pieces of one splitter to the next, and the words of the last to the model.</summary>
readonly struct PieceSink(Splitter[] splitters, int depth, WordModel model, TokenList ids)
{
    public void Take(ReadOnlySpan<char> piece)
    {
        if (piece.IsEmpty)
            return;
        if (depth == splitters.Length)
            model.Encode(piece, ids);
        else
            splitters[depth].Split(piece, new(splitters, depth + 1, model, ids));
    }
}

/// <summary>A splitter whose pieces are the whole text, found one after the other by code in place of an expression.</summary>
abstract class Scanner : Splitter
{
    public sealed override void Split(ReadOnlySpan<char> text, PieceSink pieces)
    {
        for (var start = 0; start < text.Length;)
        {
            var end = End(text, start);
            pieces.Take(text[start..end]);
            start = end;
        }
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
