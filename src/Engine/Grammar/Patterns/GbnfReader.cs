using System.Globalization;
using System.Text;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Patterns;

/// <summary>
/// Reads grammars in the GBNF of llama.cpp: rules <c>name ::= …</c> of texts, character classes, names, groups, alternatives and
/// repetitions; <c>root</c> is the whole. Comments begin with #.
/// </summary>
sealed class GbnfReader
{
    readonly int[] _text;
    readonly GrammarLimits _limits;
    readonly Dictionary<string, Definition> _rules = [];
    int _at;
    int _depth;
    int _repeats;

    GbnfReader(string grammar, GrammarLimits limits)
    {
        if (grammar.Length > limits.SourceLength)
            throw new GrammarException($"It has {grammar.Length} characters; at most {limits.SourceLength} are read.");
        _text = [.. grammar.EnumerateRunes().Select(rune => rune.Value)];
        _limits = limits;
    }

    /// <summary>The texts of the rule <c>root</c>.</summary>
    public static Expr Read(string grammar, GrammarLimits limits) => new GbnfReader(grammar, limits).Read();

    Expr Read()
    {
        for (Spaces(lines: true); _at < _text.Length; Spaces(lines: true))
        {
            var rule = RuleOf(Name() ?? throw Expected("the name of a rule"));
            Spaces(lines: false);
            if (!Take("::="))
                throw Expected("'::='");
            if (rule.IsDefined)
                throw new GrammarException($"The rule '{rule.Name}' is defined twice.");
            rule.Body = Alternatives();
            Spaces(lines: false);
            if (_at < _text.Length && _text[_at] is not ('\n' or '\r'))
                throw Expected("a line break");
        }
        return _rules.TryGetValue("root", out var root) && root.IsDefined ? root.Called()
            : throw new GrammarException("The grammar has no rule 'root', with which it begins.");
    }

    Expr Alternatives()
    {
        var alternatives = new List<Expr> { Sequence() };
        for (Spaces(_depth > 0); Take("|") || NextLineGoesOn(); Spaces(_depth > 0))
            alternatives.Add(Sequence());
        return Expr.OneOf(alternatives);
    }

    /// <summary>Takes an alternative sign that begins the next line.</summary>
    bool NextLineGoesOn()
    {
        var before = _at;
        Spaces(lines: true);
        if (Take("|"))
            return true;
        _at = before;
        return false;
    }

    Expr Sequence()
    {
        Spaces(lines: true);
        var items = new List<Expr>();
        while (Item() is { } item)
        {
            items.Add(Repeated(item));
            Spaces(_depth > 0);
        }
        return Expr.Of([.. items]);
    }

    Expr? Item()
    {
        if (_at == _text.Length)
            return null;
        if (Take("\""))
            return Literal();
        if (Take("["))
            return Class().ToUtf8();
        if (Take("."))
            return CharSet.All.ToUtf8();
        if (Take("("))
        {
            if (++_depth > _limits.Depth)
                throw new GrammarException($"The grammar nests more than {_limits.Depth} groups.");
            var inner = Alternatives();
            Spaces(lines: true);
            _depth--;
            return Take(")") ? inner : throw Expected("')'");
        }
        return Name() is { } name ? RuleOf(name).Called() : null;
    }

    Expr Repeated(Expr item)
    {
        while (_at < _text.Length)
        {
            if (Take("*"))
                item = Expr.Times(item, 0, null);
            else if (Take("+"))
                item = Expr.Times(item, 1, null);
            else if (Take("?"))
                item = item.OrEmpty();
            else if (Take("{"))
                item = Counted(item);
            else
                break;
            if (++_repeats > _limits.Rules)
                throw new GrammarException($"The grammar has more than {_limits.Rules} repetitions.");
        }
        return item;
    }

    Expr Counted(Expr item)
    {
        var close = Array.IndexOf(_text, '}', _at);
        var counts = close < 0 ? [] : Text(_at, close).Split(',', StringSplitOptions.TrimEntries);
        if (counts.Length is 0 or > 2 || !int.TryParse(counts[0], NumberStyles.None, null, out var min))
            throw Expected("{n}, {n,} or {n,m}");
        var max = counts.Length == 1 ? min : counts[1].Length == 0 ? (int?)null : int.TryParse(counts[1], NumberStyles.None, null, out var most) ? most : -1;
        _at = close + 1;
        return max is null || max >= min ? Expr.Times(item, min, max) : throw new GrammarException($"The counts {{{string.Join(',', counts)}}} make no sense.");
    }

    Expr Literal()
    {
        var text = new StringBuilder();
        while (_at < _text.Length && _text[_at] != '"')
            text.Append((Rune)Character());
        return Take("\"") ? Expr.Text(text.ToString()) : throw Expected("'\"'");
    }

    CharSet Class()
    {
        var inverse = Take("^");
        var ranges = new List<(int, int)>();
        while (_at < _text.Length && _text[_at] != ']')
        {
            var low = Character();
            var high = low;
            if (_at + 1 < _text.Length && _text[_at] == '-' && _text[_at + 1] != ']')
            {
                _at++;
                high = Character();
            }
            ranges.Add(low <= high ? (low, high) : throw new GrammarException("A range in a character class goes backwards."));
        }
        var set = CharSet.Of(ranges);
        return !Take("]") ? throw Expected("']'") : inverse ? set.Inverse() : set;
    }

    int Character()
    {
        var character = _text[_at++];
        if (character != '\\')
            return character;
        if (_at == _text.Length)
            throw Expected("a character after the backslash");
        var escape = _text[_at++];
        return escape switch
        {
            'x' => Code(2),
            'u' => Code(4),
            'U' => Code(8),
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '\\' or '"' or '[' or ']' or '-' or '^' or '/' or '.' or '\'' => escape,
            _ => throw new GrammarException($"'\\{(Rune)escape}' is no escape of a grammar."),
        };
    }

    int Code(int digits)
    {
        var text = Text(_at, Math.Min(_text.Length, _at + digits));
        _at += digits;
        return text.Length == digits && int.TryParse(text, NumberStyles.AllowHexSpecifier, null, out var code) && Rune.IsValid(code)
            ? code : throw new GrammarException($"'{text}' is no character code of {digits} digits.");
    }

    Definition RuleOf(string name)
    {
        if (_rules.TryGetValue(name, out var rule))
            return rule;
        return _rules.Count < _limits.Rules ? _rules[name] = new(name) : throw new GrammarException($"The grammar has more than {_limits.Rules} rules.");
    }

    string? Name()
    {
        var from = _at;
        while (_at < _text.Length && _text[_at] < 128 && (char.IsAsciiLetterOrDigit((char)_text[_at]) || _text[_at] is '-' or '_'))
            _at++;
        return _at == from ? null : Text(from, _at);
    }

    void Spaces(bool lines)
    {
        for (; _at < _text.Length; _at++)
        {
            if (_text[_at] == '#')
                while (_at < _text.Length && _text[_at] is not ('\n' or '\r'))
                    _at++;
            if (_at == _text.Length || !(_text[_at] is ' ' or '\t' || (lines && _text[_at] is '\n' or '\r')))
                return;
        }
    }

    bool Take(string sign)
    {
        if (_at + sign.Length > _text.Length)
            return false;
        for (var i = 0; i < sign.Length; i++)
            if (_text[_at + i] != sign[i])
                return false;
        _at += sign.Length;
        return true;
    }

    string Text(int from, int to) => string.Concat(_text[from..to].Select(c => ((Rune)c).ToString()));

    GrammarException Expected(string what) =>
        new($"The grammar has {(_at < _text.Length ? $"'{(Rune)_text[_at]}'" : "its end")} in line {_text.Take(_at).Count(c => c == '\n') + 1} where {what} is expected.");
}
