namespace Serving.Text;

/// <summary>The character that spells a space in SentencePiece vocabularies.</summary>
static class SpaceMark
{
    public const char Character = '\u2581';

    static ReadOnlySpan<byte> Utf8 => "\u2581"u8;

    /// <summary>A cut before every run of marks, where no token of the vocabulary reaches across such a place: then no merge can, and words may be cached. None otherwise.</summary>
    public static Splitter[] SafeCuts(Vocabulary vocabulary)
    {
        for (var id = 0; id < vocabulary.Count; id++)
            if (vocabulary.Kind(id) is TokenKind.Normal or TokenKind.Unused && ReachesAcross(vocabulary.Utf8(id)))
                return [];
        return [new MarkScanner(Character, runs: true)];
    }

    static bool ReachesAcross(ReadOnlySpan<byte> spelling)
    {
        while (spelling.StartsWith(Utf8))
            spelling = spelling[Utf8.Length..];
        return spelling.IndexOf(Utf8) >= 0;
    }
}
