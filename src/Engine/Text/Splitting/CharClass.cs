using System.Globalization;
using System.Text;

namespace Serving.Text;

/// <summary>What the split patterns ask of a code point; the runtime's Unicode 16 categories, as the published tokenizers have them.</summary>
[Flags]
enum CharClass : byte
{
    Other = 0,
    Letter = 1,
    Number = 2,
    Mark = 4,
    Punctuation = 8,
    Symbol = 16,
    Space = 32,
    NewLine = 64,
    AsciiLetter = 128,
}

static class CharClasses
{
    static readonly CharClass[] Basic = [.. Enumerable.Range(0, 0x10000).Select(Compute)];

    /// <summary>The class of the code point at <paramref name="at"/> and its length in UTF-16 units; half a surrogate pair counts as U+FFFD, which it becomes.</summary>
    public static CharClass Read(ReadOnlySpan<char> text, int at, out int length)
    {
        var unit = text[at];
        length = 1;
        if (!char.IsSurrogate(unit))
            return Basic[unit];
        if (Rune.DecodeFromUtf16(text[at..], out var rune, out length) != System.Buffers.OperationStatus.Done)
            length = 1;
        return rune.Value > 0xFFFF ? Compute(rune.Value) : Basic[rune.Value];
    }

    /// <summary>The first position from <paramref name="at"/> on whose class has no bit of <paramref name="wanted"/>.</summary>
    public static int Skip(ReadOnlySpan<char> text, int at, CharClass wanted)
    {
        while (at < text.Length && (Read(text, at, out var length) & wanted) != 0)
            at += length;
        return at;
    }

    /// <summary>The first position from <paramref name="at"/> on whose class has a bit of <paramref name="unwanted"/>.</summary>
    public static int SkipUntil(ReadOnlySpan<char> text, int at, CharClass unwanted)
    {
        while (at < text.Length && (Read(text, at, out var length) & unwanted) == 0)
            at += length;
        return at;
    }

    static CharClass Compute(int codePoint)
    {
        var value = CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
        {
            <= UnicodeCategory.OtherLetter => CharClass.Letter,
            <= UnicodeCategory.EnclosingMark => CharClass.Mark,
            <= UnicodeCategory.OtherNumber => CharClass.Number,
            >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation => CharClass.Punctuation,
            >= UnicodeCategory.MathSymbol and <= UnicodeCategory.OtherSymbol => CharClass.Symbol,
            _ => CharClass.Other,
        };
        if (codePoint <= char.MaxValue && char.IsWhiteSpace((char)codePoint))
            value |= CharClass.Space;
        if (codePoint is '\r' or '\n')
            value |= CharClass.NewLine;
        if (codePoint < 0x80 && char.IsAsciiLetter((char)codePoint))
            value |= CharClass.AsciiLetter;
        return value;
    }
}
