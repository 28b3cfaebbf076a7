namespace Serving.Text;

/// <summary>GPT-2: <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.</summary>
sealed class Gpt2Scanner : Scanner
{
    const CharClass Word = CharClass.Letter | CharClass.Number | CharClass.Space;

    protected override int End(ReadOnlySpan<char> text, int start)
    {
        if (Contractions.Length(text[start..], ignoreCase: false) is var contraction and > 0)
            return start + contraction;
        var at = text[start] == ' ' && start + 1 < text.Length ? start + 1 : start;
        return (CharClasses.Read(text, at, out _) & Word) switch
        {
            CharClass.Letter => CharClasses.Skip(text, at, CharClass.Letter),
            CharClass.Number => CharClasses.Skip(text, at, CharClass.Number),
            0 => CharClasses.SkipUntil(text, at, Word),
            _ => EndOfSpaces(text, start),
        };
    }
}

/// <summary>The pattern of cl100k, Llama 3 (3 digits) and Qwen2 (1 digit):
/// <c>(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,d}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>.</summary>
sealed class Cl100kScanner(int digits) : Scanner
{
    const CharClass Word = CharClass.Letter | CharClass.Number | CharClass.Space;

    protected override int End(ReadOnlySpan<char> text, int start)
    {
        if (Contractions.Length(text[start..], ignoreCase: true) is var contraction and > 0)
            return start + contraction;
        var first = CharClasses.Read(text, start, out var length);
        if ((first & CharClass.Number) != 0)
            return EndOfDigits(text, start);
        var letters = (first & (CharClass.Letter | CharClass.NewLine)) == 0 ? start + length : start;
        if (CharClasses.Skip(text, letters, CharClass.Letter) is var word && word > letters)
            return word;
        var at = text[start] == ' ' && start + 1 < text.Length ? start + 1 : start;
        if ((CharClasses.Read(text, at, out _) & Word) == 0)
            return CharClasses.Skip(text, CharClasses.SkipUntil(text, at, Word), CharClass.NewLine);
        return EndOfLines(text, start) is var lines and > 0 ? lines : EndOfSpaces(text, start);
    }

    int EndOfDigits(ReadOnlySpan<char> text, int at)
    {
        for (var i = 0; i < digits && at < text.Length && (CharClasses.Read(text, at, out var length) & CharClass.Number) != 0; i++)
            at += length;
        return at;
    }
}

/// <summary>DeepSeek-V3's third pattern: <c>[ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>;
/// what no alternative matches, such as digits, stays together.</summary>
sealed class DeepSeekScanner : Scanner
{
    const CharClass Letters = CharClass.Letter | CharClass.Mark;
    const CharClass Signs = CharClass.Punctuation | CharClass.Symbol;

    protected override int End(ReadOnlySpan<char> text, int start)
    {
        if (Match(text, start) is var end && end > start)
            return end;
        var at = start;
        do
        {
            CharClasses.Read(text, at, out var length);
            at += length;
        }
        while (at < text.Length && Match(text, at) == at);
        return at;
    }

    static int Match(ReadOnlySpan<char> text, int start)
    {
        var first = CharClasses.Read(text, start, out var length);
        if (char.IsAscii(text[start]) && (first & Signs) != 0
            && CharClasses.Skip(text, start + 1, CharClass.AsciiLetter) is var name && name > start + 1)
            return name;
        var letters = (first & (CharClass.Letter | Signs | CharClass.NewLine)) == 0 ? start + length : start;
        if (CharClasses.Skip(text, letters, Letters) is var word && word > letters)
            return word;
        if (CharClasses.Skip(text, start, Letters) is var marks && marks > start)
            return marks;
        var at = text[start] == ' ' ? start + 1 : start;
        if (CharClasses.Skip(text, at, Signs) is var signs && signs > at)
            return CharClasses.Skip(text, signs, CharClass.NewLine);
        if ((first & CharClass.Space) == 0)
            return start;
        return EndOfLines(text, start) is var lines and > 0 ? lines : EndOfSpaces(text, start);
    }
}

/// <summary>Numbers stand apart: in groups of at most so many digits, counted from the front (<c>\p{N}{1,n}</c>).</summary>
sealed class DigitScanner(int most) : Scanner
{
    protected override int End(ReadOnlySpan<char> text, int start)
    {
        var at = start;
        for (var i = 0; i < most && at < text.Length && (CharClasses.Read(text, at, out var length) & CharClass.Number) != 0; i++)
            at += length;
        return at > start ? at : CharClasses.SkipUntil(text, start, CharClass.Number);
    }
}

/// <summary>Runs of Chinese characters and kana stand apart: <c>[一-龥\u3040-ゟ゠-ヿ]+</c>.</summary>
sealed class CjkScanner : Scanner
{
    protected override int End(ReadOnlySpan<char> text, int start)
    {
        var inside = IsCjk(text[start]);
        var at = start + 1;
        while (at < text.Length && IsCjk(text[at]) == inside)
            at++;
        return at;
    }

    static bool IsCjk(char unit) => unit is >= '\u4E00' and <= '\u9FA5' or >= '\u3040' and <= '\u30FF';
}

/// <summary>Cuts before every space mark, or before every run of them.</summary>
sealed class MarkScanner(char mark, bool runs) : Scanner
{
    protected override int End(ReadOnlySpan<char> text, int start)
    {
        var at = start + 1;
        if (runs && text[start] == mark)
            while (at < text.Length && text[at] == mark)
                at++;
        var next = text[at..].IndexOf(mark);
        return next < 0 ? text.Length : at + next;
    }
}

/// <summary>English contractions after an apostrophe.</summary>
static class Contractions
{
    /// <summary>The length of <c>'s</c>, <c>'t</c>, <c>'re</c>, <c>'ve</c>, <c>'m</c>, <c>'ll</c> or <c>'d</c> at the front; 0 for none. Ignoring case, U+017F is an s.</summary>
    public static int Length(ReadOnlySpan<char> text, bool ignoreCase)
    {
        if (text.Length < 2 || text[0] != '\'')
            return 0;
        var first = Fold(text[1], ignoreCase);
        if (first is 's' or 't' or 'm' or 'd')
            return 2;
        var second = text.Length > 2 ? Fold(text[2], ignoreCase) : '\0';
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    static char Fold(char unit, bool ignoreCase) =>
        !ignoreCase ? unit : unit == '\u017F' ? 's' : char.IsAscii(unit) ? char.ToLowerInvariant(unit) : unit;
}
