using System.Globalization;
using System.Text;

namespace Serving.Text.Templates.Library;

/// <summary>Upper, lower and title case as Python's: with Unicode's special casing, so that the length may change.</summary>
static class LetterCase
{
    /// <summary>Letters whose upper case is more than one character, each followed by it (Unicode SpecialCasing.txt).</summary>
    const string LongUppers = "ßSS ŉ\u02bcN ǰJ\u030c \u0390\u0399\u0308\u0301 \u03b0\u03a5\u0308\u0301 \u0587\u0535\u0552 \u1e96H\u0331 "
        + "\u1e97T\u0308 \u1e98W\u030a \u1e99Y\u030a \u1e9aA\u02be \u1f50\u03a5\u0313 \u1f52\u03a5\u0313\u0300 "
        + "\u1f54\u03a5\u0313\u0301 \u1f56\u03a5\u0313\u0342 \u1f80\u1f08\u0399 \u1f81\u1f09\u0399 \u1f82\u1f0a\u0399 "
        + "\u1f83\u1f0b\u0399 \u1f84\u1f0c\u0399 \u1f85\u1f0d\u0399 \u1f86\u1f0e\u0399 \u1f87\u1f0f\u0399 "
        + "\u1f88\u1f08\u0399 \u1f89\u1f09\u0399 \u1f8a\u1f0a\u0399 \u1f8b\u1f0b\u0399 \u1f8c\u1f0c\u0399 "
        + "\u1f8d\u1f0d\u0399 \u1f8e\u1f0e\u0399 \u1f8f\u1f0f\u0399 \u1f90\u1f28\u0399 \u1f91\u1f29\u0399 "
        + "\u1f92\u1f2a\u0399 \u1f93\u1f2b\u0399 \u1f94\u1f2c\u0399 \u1f95\u1f2d\u0399 \u1f96\u1f2e\u0399 "
        + "\u1f97\u1f2f\u0399 \u1f98\u1f28\u0399 \u1f99\u1f29\u0399 \u1f9a\u1f2a\u0399 \u1f9b\u1f2b\u0399 "
        + "\u1f9c\u1f2c\u0399 \u1f9d\u1f2d\u0399 \u1f9e\u1f2e\u0399 \u1f9f\u1f2f\u0399 \u1fa0\u1f68\u0399 "
        + "\u1fa1\u1f69\u0399 \u1fa2\u1f6a\u0399 \u1fa3\u1f6b\u0399 \u1fa4\u1f6c\u0399 \u1fa5\u1f6d\u0399 "
        + "\u1fa6\u1f6e\u0399 \u1fa7\u1f6f\u0399 \u1fa8\u1f68\u0399 \u1fa9\u1f69\u0399 \u1faa\u1f6a\u0399 "
        + "\u1fab\u1f6b\u0399 \u1fac\u1f6c\u0399 \u1fad\u1f6d\u0399 \u1fae\u1f6e\u0399 \u1faf\u1f6f\u0399 "
        + "\u1fb2\u1fba\u0399 \u1fb3\u0391\u0399 \u1fb4\u0386\u0399 \u1fb6\u0391\u0342 \u1fb7\u0391\u0342\u0399 "
        + "\u1fbc\u0391\u0399 \u1fc2\u1fca\u0399 \u1fc3\u0397\u0399 \u1fc4\u0389\u0399 \u1fc6\u0397\u0342 "
        + "\u1fc7\u0397\u0342\u0399 \u1fcc\u0397\u0399 \u1fd2\u0399\u0308\u0300 \u1fd3\u0399\u0308\u0301 "
        + "\u1fd6\u0399\u0342 \u1fd7\u0399\u0308\u0342 \u1fe2\u03a5\u0308\u0300 \u1fe3\u03a5\u0308\u0301 "
        + "\u1fe4\u03a1\u0313 \u1fe6\u03a5\u0342 \u1fe7\u03a5\u0308\u0342 \u1ff2\u1ffa\u0399 \u1ff3\u03a9\u0399 "
        + "\u1ff4\u038f\u0399 \u1ff6\u03a9\u0342 \u1ff7\u03a9\u0342\u0399 \u1ffc\u03a9\u0399 \ufb00FF \ufb01FI \ufb02FL "
        + "\ufb03FFI \ufb04FFL \ufb05ST \ufb06ST \ufb13\u0544\u0546 \ufb14\u0544\u0535 \ufb15\u0544\u053b "
        + "\ufb16\u054e\u0546 \ufb17\u0544\u053d";

    static readonly Dictionary<char, string> Uppers = LongUppers.Split(' ').ToDictionary(entry => entry[0], entry => entry[1..]);

    public static string Upper(string text)
    {
        var upper = new StringBuilder(text.Length);
        foreach (var letter in Runes(text)) upper.Append(UpperOf(letter));
        return upper.ToString();
    }

    public static string Lower(string text)
    {
        var lower = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i += WidthAt(text, i)) AppendLower(lower, text, i);
        return lower.ToString();
    }

    /// <summary>The first letter in title case, the others lower.</summary>
    public static string Capitalize(string text)
    {
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i += WidthAt(text, i))
            if (i == 0) result.Append(Title(text[..WidthAt(text, 0)]));
            else AppendLower(result, text, i);
        return result.ToString();
    }

    /// <summary>Each letter that follows none in title case, the others lower.</summary>
    public static string Titled(string text)
    {
        var result = new StringBuilder(text.Length);
        var inWord = false;
        for (var i = 0; i < text.Length; i += WidthAt(text, i))
        {
            var letter = text.Substring(i, WidthAt(text, i));
            if (inWord) AppendLower(result, text, i);
            else result.Append(Title(letter));
            inWord = IsCased(letter);
        }
        return result.ToString();
    }

    public static string Swapped(string text)
    {
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i += WidthAt(text, i))
        {
            var letter = text.Substring(i, WidthAt(text, i));
            if (IsUpper(letter)) AppendLower(result, text, i);
            else result.Append(UpperOf(letter));
        }
        return result.ToString();
    }

    public static bool IsLower(string text) => text.Any(char.IsLower) && !text.Any(c => char.IsUpper(c) || IsTitle(c));

    public static bool IsUpper(string text) => text.Any(char.IsUpper) && !text.Any(c => char.IsLower(c) || IsTitle(c));

    public static IEnumerable<string> Runes(string text)
    {
        for (var i = 0; i < text.Length; i += WidthAt(text, i)) yield return text.Substring(i, WidthAt(text, i));
    }

    static string UpperOf(string letter) => Uppers.TryGetValue(letter[0], out var special) ? special : letter.ToUpperInvariant();

    static string Title(string letter) => letter[0] switch
    {
        >= '\u01c4' and <= '\u01c6' => "\u01c5",
        >= '\u01c7' and <= '\u01c9' => "\u01c8",
        >= '\u01ca' and <= '\u01cc' => "\u01cb",
        >= '\u01f1' and <= '\u01f3' => "\u01f2",
        _ when UpperOf(letter) is { Length: > 1 } upper && letter.Length == 1 => upper[0] + Lower(upper[1..]),
        _ => UpperOf(letter),
    };

    static void AppendLower(StringBuilder lower, string text, int at)
    {
        if (text[at] == '\u0130') lower.Append("i\u0307");
        else if (text[at] == '\u03a3') lower.Append(EndsWord(text, at) ? '\u03c2' : '\u03c3');
        else lower.Append(text.Substring(at, WidthAt(text, at)).ToLowerInvariant());
    }

    /// <summary>Whether the sigma at this place ends a word: a cased letter before it, none after, marks between ignored.</summary>
    static bool EndsWord(string text, int at)
    {
        var (before, after) = (at - 1, at + 1);
        while (before >= 0 && IsIgnored(text[before])) before--;
        while (after < text.Length && IsIgnored(text[after])) after++;
        return before >= 0 && IsCased(text[before].ToString()) && !(after < text.Length && IsCased(text[after].ToString()));
    }

    static bool IsIgnored(char letter) => letter is '\'' or '.' or ':' or '^' or '`' or '\u2019' || char.GetUnicodeCategory(letter) is
        UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.ModifierLetter
        or UnicodeCategory.ModifierSymbol;

    static bool IsCased(string letter) => char.GetUnicodeCategory(letter, 0) is
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter;

    static bool IsTitle(char letter) => char.GetUnicodeCategory(letter) == UnicodeCategory.TitlecaseLetter;

    static int WidthAt(string text, int at) => at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
}
