using Serving.Text.Templates.Library;

namespace Serving.Text.Templates.Syntax;

/// <summary>Cuts a template's source into text and tags, with Jinja's white space rules under trim_blocks and lstrip_blocks.</summary>
sealed class Lexer
{
    readonly string _source;
    readonly List<Token> _tokens = [];
    int _at;
    int _line = 1;

    /// <summary>Whether the last tag took the end of its line with it, so that the text after it begins a line.</summary>
    bool _atLineStart = true;

    Lexer(string source) => _source = source;

    /// <summary>The tokens of a source; line ends are made one form first, and one at the very end is dropped.</summary>
    public static List<Token> Read(string source)
    {
        var text = source.Replace("\r\n", "\n").Replace('\r', '\n');
        return new Lexer(text.EndsWith('\n') ? text[..^1] : text).Read();
    }

    List<Token> Read()
    {
        while (FindTag() is var tag and >= 0)
        {
            var sign = tag + 2 < _source.Length ? _source[tag + 2] : ' ';
            var raw = RawBodyStart(tag);
            AddText(Stripped(_source[_at..tag], sign, isPrint: _source[tag + 1] == '{'));
            AdvanceTo(tag);
            if (raw > 0) ReadRaw(raw);
            else if (_source[tag + 1] == '#') SkipComment();
            else ReadTag(isPrint: _source[tag + 1] == '{', tag + (sign is '-' or '+' ? 3 : 2));
        }
        AddText(_source[_at..]);
        AdvanceTo(_source.Length);
        _tokens.Add(new Token(TokenKind.End, "", _line));
        return _tokens;
    }

    int FindTag()
    {
        for (var at = _source.IndexOf('{', _at); at >= 0 && at + 1 < _source.Length; at = _source.IndexOf('{', at + 1))
            if (_source[at + 1] is '{' or '%' or '#') return at;
        return -1;
    }

    string Stripped(string text, char sign, bool isPrint)
    {
        if (sign == '-') return text[..PythonText.TrimEnd(text)];
        if (sign == '+' || isPrint) return text;
        var lineStart = text.LastIndexOf('\n') + 1;
        return (lineStart > 0 || _atLineStart) && PythonText.IsBlank(text.AsSpan(lineStart)) ? text[..lineStart] : text;
    }

    void AddText(string text)
    {
        if (text.Length > 0) _tokens.Add(new Token(TokenKind.Text, text, _line));
    }

    void AdvanceTo(int at)
    {
        _line += _source.AsSpan(_at, at - _at).Count('\n');
        _at = at;
    }

    void SkipComment()
    {
        var end = _source.IndexOf("#}", _at + 2, StringComparison.Ordinal);
        if (end < 0) throw Fault("a comment is opened by {# and never closed by #}");
        CloseTag(end, _source[end - 1]);
    }

    void ReadTag(bool isPrint, int from)
    {
        _tokens.Add(new Token(isPrint ? TokenKind.BeginPrint : TokenKind.BeginBlock, isPrint ? "{{" : "{%", _line));
        var tag = new TagLexer(_source, from, _line, _tokens);
        var end = tag.Read(isPrint ? "}}" : "%}");
        _tokens.Add(new Token(isPrint ? TokenKind.EndPrint : TokenKind.EndBlock, "", tag.Line));
        var sign = _source[end] is '-' or '+' ? _source[end] : ' ';
        CloseTag(sign == ' ' ? end : end + 1, sign, takesLineEnd: !isPrint);
    }

    /// <summary>Moves behind a closing mark, and behind the white space that its sign or trim_blocks removes.</summary>
    void CloseTag(int mark, char sign, bool takesLineEnd = true)
    {
        var after = mark + 2;
        if (sign == '-')
            while (after < _source.Length && PythonText.IsSpace(_source[after])) after++;
        else if (sign != '+' && takesLineEnd && after < _source.Length && _source[after] == '\n') after++;
        AdvanceTo(after);
        _atLineStart = after > 0 && _source[after - 1] == '\n';
    }

    /// <summary>Where the text of <c>{% raw %}</c> begins, or 0 where the tag is another.</summary>
    int RawBodyStart(int tag)
    {
        var end = WordTag(tag, "raw");
        if (end < 0) return 0;
        if (_source[end] != '-') return end + 2;
        end += 3;
        while (end < _source.Length && PythonText.IsSpace(_source[end])) end++;
        return end;
    }

    void ReadRaw(int body)
    {
        AdvanceTo(body);
        for (var at = _source.IndexOf("{%", _at, StringComparison.Ordinal); at >= 0; at = _source.IndexOf("{%", at + 1,
            StringComparison.Ordinal))
        {
            var end = WordTag(at, "endraw");
            if (end < 0) continue;
            _atLineStart = false;
            AddText(Stripped(_source[body..at], _source[at + 2], isPrint: false));
            var signed = _source[end] is '-' or '+';
            CloseTag(signed ? end + 1 : end, signed ? _source[end] : ' ');
            return;
        }
        throw Fault("{% raw %} is never closed by {% endraw %}");
    }

    /// <summary>Where <c>%}</c> or its sign stands if the tag at this place holds only the given word, or -1.</summary>
    int WordTag(int tag, string word)
    {
        if (_source[tag + 1] != '%') return -1;
        var at = tag + 2;
        if (at < _source.Length && _source[at] is '-' or '+') at++;
        while (at < _source.Length && PythonText.IsSpace(_source[at])) at++;
        if (!_source.AsSpan(at).StartsWith(word, StringComparison.Ordinal)) return -1;
        at += word.Length;
        while (at < _source.Length && PythonText.IsSpace(_source[at])) at++;
        var mark = at < _source.Length && _source[at] is '-' or '+' ? at + 1 : at;
        return _source.AsSpan(mark).StartsWith("%}", StringComparison.Ordinal) ? at : -1;
    }

    TemplateException Fault(string reason) => new(TemplateFault.Syntax, reason, _line);
}
