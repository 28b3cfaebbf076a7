namespace Serving.Text;

/// <summary>How the spellings of a vocabulary become text.</summary>
enum SpellingKind
{
    /// <summary>Characters of <see cref="ByteAlphabet"/>.</summary>
    ByteLevel,
    /// <summary>UTF-8 with U+2581 for a space, and tokens such as <c>&lt;0x0A&gt;</c> for bytes.</summary>
    SpaceMark,
}

/// <summary>The rules of decoding that tokenizers differ in.</summary>
/// <param name="Spelling">How tokens spell bytes.</param>
/// <param name="DropFirstSpace">The space that encoding put before the text is taken away again.</param>
/// <param name="MarkEachInvalidByte">Each byte that is no character gives a U+FFFD; otherwise each maximal invalid part does.</param>
/// <param name="ControlIsText">Control tokens decode to their spelling; otherwise to nothing.</param>
readonly record struct DecodeRules(SpellingKind Spelling, bool DropFirstSpace, bool MarkEachInvalidByte, bool ControlIsText);

/// <summary>The bytes that each token stands for.</summary>
sealed class TokenBytes
{
    static ReadOnlySpan<byte> Mark => "\u2581"u8;
    static ReadOnlySpan<byte> UnknownText => " \u2047 "u8;

    readonly byte[] _bytes;
    readonly int[] _starts;

    public TokenBytes(Vocabulary vocabulary, DecodeRules rules)
    {
        _starts = new int[vocabulary.Count + 1];
        var total = 0;
        for (var id = 0; id < vocabulary.Count; id++)
            total += Math.Max(vocabulary.Utf8(id).Length, UnknownText.Length);
        _bytes = new byte[total];
        for (var id = 0; id < vocabulary.Count; id++)
            _starts[id + 1] = _starts[id] + Write(vocabulary.Utf8(id), vocabulary.Kind(id), rules, _bytes.AsSpan(_starts[id]));
    }

    /// <summary>The bytes of a token; none for an id that no token has.</summary>
    public ReadOnlySpan<byte> this[int id] =>
        (uint)id < (uint)(_starts.Length - 1) ? _bytes.AsSpan(_starts[id].._starts[id + 1]) : default;

    static int Write(ReadOnlySpan<byte> spelling, TokenKind kind, DecodeRules rules, Span<byte> bytes)
    {
        if (rules.Spelling == SpellingKind.ByteLevel)
        {
            if (ByteAlphabet.TryRead(spelling, bytes, out var count))
                return count;
            spelling.CopyTo(bytes);
            return spelling.Length;
        }
        if (!rules.ControlIsText && kind is TokenKind.Control)
            return 0;
        if (!rules.ControlIsText && kind is TokenKind.Unknown)
            spelling = UnknownText;
        if (kind is TokenKind.Byte && ByteTokens.TryRead(spelling, out bytes[0]))
            return 1;
        return WriteSpaces(spelling, bytes);
    }

    static int WriteSpaces(ReadOnlySpan<byte> spelling, Span<byte> bytes)
    {
        var count = 0;
        for (var at = 0; at < spelling.Length;)
        {
            var isMark = spelling[at..].StartsWith(Mark);
            bytes[count++] = isMark ? (byte)' ' : spelling[at];
            at += isMark ? Mark.Length : 1;
        }
        return count;
    }
}
