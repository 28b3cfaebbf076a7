using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Patterns;

/// <summary>Sets of characters that expressions have short names for, as ECMAScript defines them.</summary>
static class CharacterClasses
{
    static readonly CharSet Digits = CharSet.Of(('0', '9'));

    static readonly CharSet Word = CharSet.Of(('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_'));

    static readonly CharSet Spaces = CharSet.Of("\t\n\v\f\r \u00A0\u1680\u2028\u2029\u202F\u205F\u3000\uFEFF").Or(CharSet.Of((0x2000, 0x200A)));

    static readonly ConcurrentDictionary<string, CharSet> Categories = [];

    static readonly Dictionary<string, UnicodeCategory[]> CategoryNames = new()
    {
        ["Lu"] = [UnicodeCategory.UppercaseLetter],
        ["Ll"] = [UnicodeCategory.LowercaseLetter],
        ["Lt"] = [UnicodeCategory.TitlecaseLetter],
        ["Lm"] = [UnicodeCategory.ModifierLetter],
        ["Lo"] = [UnicodeCategory.OtherLetter],
        ["L"] = [UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter,
            UnicodeCategory.ModifierLetter, UnicodeCategory.OtherLetter],
        ["M"] = [UnicodeCategory.NonSpacingMark, UnicodeCategory.SpacingCombiningMark, UnicodeCategory.EnclosingMark],
        ["Nd"] = [UnicodeCategory.DecimalDigitNumber],
        ["N"] = [UnicodeCategory.DecimalDigitNumber, UnicodeCategory.LetterNumber, UnicodeCategory.OtherNumber],
        ["P"] = [UnicodeCategory.ConnectorPunctuation, UnicodeCategory.DashPunctuation, UnicodeCategory.OpenPunctuation,
            UnicodeCategory.ClosePunctuation, UnicodeCategory.InitialQuotePunctuation, UnicodeCategory.FinalQuotePunctuation,
            UnicodeCategory.OtherPunctuation],
        ["S"] = [UnicodeCategory.MathSymbol, UnicodeCategory.CurrencySymbol, UnicodeCategory.ModifierSymbol, UnicodeCategory.OtherSymbol],
        ["Z"] = [UnicodeCategory.SpaceSeparator, UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator],
    };

    public static CharSet LineBreaks { get; } = CharSet.Of("\n\r\u2028\u2029");

    /// <summary>What a backslash and this character stand for; null where it is the character itself.</summary>
    public static CharSet? OfEscape(int character) => character switch
    {
        'd' => Digits,
        'D' => Digits.Inverse(),
        'w' => Word,
        'W' => Word.Inverse(),
        's' => Spaces,
        'S' => Spaces.Inverse(),
        'n' => CharSet.Of("\n"),
        'r' => CharSet.Of("\r"),
        't' => CharSet.Of("\t"),
        'f' => CharSet.Of("\f"),
        'v' => CharSet.Of("\v"),
        '0' => CharSet.Of((0, 0)),
        _ => null,
    };

    /// <summary>The characters of a general category; null for a name that is none.</summary>
    public static CharSet? OfCategory(string name) => !CategoryNames.TryGetValue(name, out var members) ? null
        : Categories.GetOrAdd(name, _ => CharSet.Of(
            from value in Enumerable.Range(0, 0x110000)
            where Rune.IsValid(value) && members.Contains(Rune.GetUnicodeCategory((Rune)value))
            select (value, value)));
}
