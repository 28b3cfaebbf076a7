using System.Globalization;
using System.Text;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Patterns;

/// <summary>
/// Reads the regular part of ECMAScript's regular expressions: what needs more than a finite automaton, or looks around, is an error that
/// names it.
/// </summary>
sealed class RegexReader
{
    readonly int[] _text;
    readonly Func<CharSet, Expr> _spell;
    readonly int _maxDepth;
    int _at;
    int _depth;

    RegexReader(string pattern, Func<CharSet, Expr> spell, GrammarLimits limits)
    {
        if (pattern.Length > limits.SourceLength)
            throw new GrammarException($"It has {pattern.Length} characters; at most {limits.SourceLength} are read.");
        _text = [.. pattern.EnumerateRunes().Select(rune => rune.Value)];
        (_spell, _maxDepth) = (spell, limits.Depth);
    }

    /// <summary>The texts that a pattern matches from end to end.</summary>
    public static Expr Whole(string pattern, GrammarLimits limits) =>
        new RegexReader(pattern, set => set.ToUtf8(), limits).Read(Expr.Empty);

    /// <summary>The texts that a pattern matches somewhere, each character spelled by <paramref name="spell"/>.</summary>
    public static Expr Anywhere(string pattern, Func<CharSet, Expr> spell, GrammarLimits limits) =>
        new RegexReader(pattern, spell, limits).Read(Expr.Times(spell(CharSet.All), 0, null));

    Expr Read(Expr around)
    {
        var alternatives = new List<Expr>();
        do
        {
            var before = Take('^') ? Expr.Empty : around;
            var body = Sequence();
            alternatives.Add(Expr.Of(before, body, Take('$') ? Expr.Empty : around));
        }
        while (Take('|'));
        return _at == _text.Length ? Expr.OneOf(alternatives) : throw Unexpected();
    }

    Expr Alternatives()
    {
        if (++_depth > _maxDepth)
            throw new GrammarException($"The regular expression nests more than {_maxDepth} groups.");
        var alternatives = new List<Expr> { Sequence() };
        while (Take('|'))
            alternatives.Add(Sequence());
        _depth--;
        return Expr.OneOf(alternatives);
    }

    Expr Sequence()
    {
        var items = new List<Expr>();
        while (_at < _text.Length && _text[_at] is not ('|' or ')') && !(_text[_at] == '$' && EndsBranch(_at + 1)))
            items.Add(Quantified(Atom()));
        return Expr.Of([.. items]);
    }

    bool EndsBranch(int at) => _depth == 0 && (at == _text.Length || _text[at] == '|');

    Expr Atom()
    {
        var character = _text[_at++];
        switch (character)
        {
            case '(':
                return Group();
            case '[':
                return _spell(Class());
            case '.':
                return _spell(CharacterClasses.LineBreaks.Inverse());
            case '\\':
                return _spell(Escape());
            case '^' or '$':
                throw new GrammarException($"'{(char)character}' within a regular expression is not supported; it may only stand at its ends.");
            case '*' or '+' or '?':
                _at--;
                throw Unexpected();
            default:
                return _spell(CharSet.Of((character, character)));
        }
    }

    Expr Group()
    {
        if (Take('?'))
        {
            if (Take('<') && _at < _text.Length && _text[_at] is not ('=' or '!'))
            {
                while (_at < _text.Length && _text[_at] != '>')
                    _at++;
                Expect('>');
            }
            else if (!Take(':'))
                throw new GrammarException("Look-around and flags in a regular expression are not supported.");
        }
        var body = Alternatives();
        Expect(')');
        return body;
    }

    Expr Quantified(Expr atom)
    {
        if (_at == _text.Length)
            return atom;
        var (min, max) = _text[_at] switch
        {
            '*' => (0, null),
            '+' => (1, null),
            '?' => (0, 1),
            '{' => Counts() ?? (-1, null),
            _ => (-1, (int?)null),
        };
        if (min < 0)
            return atom;
        _at++;
        Take('?');
        return _at < _text.Length && _text[_at] is '*' or '+' ? throw Unexpected() : Expr.Times(atom, min, max);
    }

    /// <summary>The numbers of {n}, {n,} or {n,m}, up to the closing brace; null where the brace stands for itself.</summary>
    (int Min, int? Max)? Counts()
    {
        var close = Array.IndexOf(_text, '}', _at);
        if (close < 0)
            return null;
        var parts = string.Concat(_text[(_at + 1)..close].Select(c => ((Rune)c).ToString())).Split(',');
        if (parts.Length > 2 || !int.TryParse(parts[0], NumberStyles.None, null, out var min))
            return null;
        var max = parts.Length == 1 ? min : parts[1].Length == 0 ? (int?)null : int.TryParse(parts[1], NumberStyles.None, null, out var most) ? most : -1;
        if (max < min)
            throw new GrammarException($"The counts {{{string.Join(',', parts)}}} of a regular expression make no sense.");
        _at = close;
        return (min, max);
    }

    CharSet Class()
    {
        var inverse = Take('^');
        var set = CharSet.None;
        while (_at < _text.Length && _text[_at] != ']')
        {
            var low = Member(out var single);
            if (single is { } first && _at + 1 < _text.Length && _text[_at] == '-' && _text[_at + 1] != ']')
            {
                _at++;
                Member(out var last);
                if (last is not { } end || end < first)
                    throw new GrammarException("A range in a character class of a regular expression goes backwards or ends with a class.");
                low = CharSet.Of((first, end));
            }
            set = set.Or(low);
        }
        Expect(']');
        return inverse ? set.Inverse() : set;
    }

    CharSet Member(out int? single)
    {
        var character = _text[_at++];
        if (character != '\\')
        {
            single = character;
            return CharSet.Of((character, character));
        }
        var set = _at < _text.Length && _text[_at] == 'b' && Take('b') ? CharSet.Of("\b") : Escape();
        single = set.Ranges is [var range] && range.Low == range.High ? range.Low : null;
        return set;
    }

    CharSet Escape()
    {
        if (_at == _text.Length)
            throw new GrammarException("The regular expression ends with a backslash.");
        var character = _text[_at++];
        switch (character)
        {
            case 'x':
                return Code(2);
            case 'u' when Take('{'):
                var close = Array.IndexOf(_text, '}', _at);
                var code = Code(Math.Max(0, close - _at));
                Expect('}');
                return code;
            case 'u':
                return Unicode();
            case 'p' or 'P':
                return Category(character == 'P');
            case >= '1' and <= '9' or 'k':
                throw new GrammarException("Back-references in a regular expression are not supported.");
            case 'b' or 'B' or 'A' or 'z' or 'Z' or 'G':
                throw new GrammarException($"'\\{(char)character}' in a regular expression is not supported.");
            default:
                return CharacterClasses.OfEscape(character) ?? CharSet.Of((character, character));
        }
    }

    CharSet Unicode()
    {
        var first = Hexadecimal(4);
        if (!char.IsHighSurrogate((char)first) || !Take('\\') || !Take('u'))
            return CharSet.Of((first, first));
        var second = Hexadecimal(4);
        if (!char.IsLowSurrogate((char)second))
            throw new GrammarException("A regular expression holds half of a surrogate pair.");
        var whole = char.ConvertToUtf32((char)first, (char)second);
        return CharSet.Of((whole, whole));
    }

    CharSet Category(bool inverse)
    {
        Expect('{');
        var close = Array.IndexOf(_text, '}', _at);
        var name = close < 0 ? "" : string.Concat(_text[_at..close].Select(c => ((Rune)c).ToString()));
        var set = CharacterClasses.OfCategory(name)
            ?? throw new GrammarException($"The character category '{name}' in a regular expression is not supported; general categories such as L or Nd are.");
        _at = close + 1;
        return inverse ? set.Inverse() : set;
    }

    CharSet Code(int digits) => Hexadecimal(digits) is var code ? CharSet.Of((code, code)) : CharSet.None;

    int Hexadecimal(int digits)
    {
        var text = string.Concat(_text.Skip(_at).Take(digits).Select(c => ((Rune)c).ToString()));
        _at += digits;
        return text.Length == digits && digits is > 0 and <= 6 && int.TryParse(text, NumberStyles.AllowHexSpecifier, null, out var code) && code <= 0x10FFFF
            ? code : throw new GrammarException($"'{text}' in a regular expression is no character code.");
    }

    bool Take(char character)
    {
        if (_at == _text.Length || _text[_at] != character)
            return false;
        _at++;
        return true;
    }

    void Expect(char character)
    {
        if (!Take(character))
            throw new GrammarException($"The regular expression lacks a '{character}' at character {_at + 1}.");
    }

    GrammarException Unexpected() => new($"The regular expression has an unexpected '{(Rune)_text[_at]}' at character {_at + 1}.");
}
