using System.Text;
using Serving.Text.Templates.Library;

namespace Serving.Text.Templates.Syntax;

/// <summary>Reads the inside of one tag: names, numbers, strings and operators.</summary>
sealed class TagLexer(string source, int at, int line, List<Token> tokens)
{
    static readonly string[] Operators = ["//", "**", "==", "!=", ">=", "<=", .. "+-/*%~[](){}><=.:|,;".Select(c => c.ToString())];

    readonly Stack<char> _open = new();

    public int Line { get; private set; } = line;

    /// <summary>Reads up to the closing mark, or the sign before it, and gives its place; inside brackets the mark is not one.</summary>
    public int Read(string close)
    {
        while (true)
        {
            SkipSpace();
            if (at >= source.Length) throw Fault($"unexpected end of template, expected '{Expected(close)}'.");
            if (_open.Count == 0 && IsClose(close)) return at;
            ReadToken();
        }
    }

    static string Expected(string close) => close == "}}" ? "end of print statement" : "end of statement block";

    bool IsClose(string close)
    {
        var mark = source[at] is '-' || source[at] is '+' && close == "%}" ? at + 1 : at;
        return source.AsSpan(mark).StartsWith(close, StringComparison.Ordinal);
    }

    void SkipSpace()
    {
        for (; at < source.Length && PythonText.IsSpace(source[at]); at++)
            if (source[at] == '\n') Line++;
    }

    void ReadToken()
    {
        var first = source[at];
        if (first is '\'' or '"') ReadString(first);
        else if (char.IsAsciiDigit(first)) ReadNumber();
        else if (first == '_' || char.IsLetter(first)) Add(TokenKind.Name, LengthWhile(at, c => c == '_' || char.IsLetterOrDigit(c)));
        else ReadOperator();
    }

    void Add(TokenKind kind, int length)
    {
        tokens.Add(new Token(kind, source.Substring(at, length), Line));
        at += length;
    }

    void ReadOperator()
    {
        var symbol = Array.Find(Operators, o => source.AsSpan(at).StartsWith(o, StringComparison.Ordinal))
            ?? throw Fault($"unexpected char '{source[at]}'");
        if (symbol[0] is '(' or '[' or '{') _open.Push(symbol[0] switch { '(' => ')', '[' => ']', _ => '}' });
        else if (symbol[0] is ')' or ']' or '}' && !(_open.TryPop(out var expected) && expected == symbol[0]))
            throw Fault(expected == 0 ? $"unexpected '{symbol}'" : $"unexpected '{symbol}', expected '{expected}'");
        Add(TokenKind.Operator, symbol.Length);
    }

    void ReadNumber()
    {
        var radix = source[at] == '0' && at + 1 < source.Length ? char.ToLowerInvariant(source[at + 1]) : ' ';
        if (radix is 'x' or 'o' or 'b' && LengthWhile(at + 2, c => c == '_' || char.IsAsciiHexDigit(c)) is > 0 and var digits)
        {
            Add(TokenKind.Integer, digits + 2);
            return;
        }
        var whole = Digits(at);
        var length = whole;
        if (at == 0 || source[at - 1] != '.')
        {
            if (at + length < source.Length && source[at + length] == '.'
                && Digits(at + length + 1) is > 0 and var fraction) length += 1 + fraction;
            length += Exponent(at + length);
        }
        Add(length == whole ? TokenKind.Integer : TokenKind.Float, length);
    }

    int Exponent(int from)
    {
        if (from >= source.Length || source[from] is not ('e' or 'E')) return 0;
        var sign = from + 1 < source.Length && source[from + 1] is '+' or '-' ? 1 : 0;
        return Digits(from + 1 + sign) is > 0 and var digits ? 1 + sign + digits : 0;
    }

    int Digits(int from) =>
        from < source.Length && char.IsAsciiDigit(source[from]) ? LengthWhile(from, c => c == '_' || char.IsAsciiDigit(c)) : 0;

    int LengthWhile(int from, Func<char, bool> belongs)
    {
        var end = from;
        while (end < source.Length && belongs(source[end])) end++;
        return end - from;
    }

    void ReadString(char quote)
    {
        var (start, startLine) = (++at, Line);
        for (; at < source.Length && source[at] != quote; at++)
        {
            if (source[at] == '\n') Line++;
            if (source[at] == '\\' && ++at < source.Length && source[at] == '\n') Line++;
        }
        if (at >= source.Length) throw new TemplateException(TemplateFault.Syntax, $"a string is opened by {quote} and never closed",
            startLine);
        tokens.Add(new Token(TokenKind.String, Decode(source.AsSpan(start, at++ - start)), startLine));
    }

    string Decode(ReadOnlySpan<char> spelled)
    {
        if (!spelled.Contains('\\')) return spelled.ToString();
        var text = new StringBuilder(spelled.Length);
        for (var i = 0; i < spelled.Length; i++)
        {
            if (spelled[i] != '\\') text.Append(spelled[i]);
            else i += Escape(spelled[(i + 1)..], text);
        }
        return text.ToString();
    }

    /// <summary>Appends what an escape stands for and gives its length behind the backslash.</summary>
    int Escape(ReadOnlySpan<char> spelled, StringBuilder text)
    {
        if ("\\'\"abfnrtv".IndexOf(spelled[0]) is >= 0 and var simple)
        {
            text.Append("\\'\"\a\b\f\n\r\t\v"[simple]);
            return 1;
        }
        switch (spelled[0])
        {
            case '\n': return 1;
            case 'x': return Hexadecimal(spelled, 2, text);
            case 'u': return Hexadecimal(spelled, 4, text);
            case 'U': return Hexadecimal(spelled, 8, text);
            case 'N': throw Fault("characters by name (\\N{...}) are not supported; write \\u or the character itself");
            case >= '0' and <= '7': return Octal(spelled, text);
            default:
                text.Append('\\').Append(spelled[0]);
                return 1;
        }
    }

    int Hexadecimal(ReadOnlySpan<char> spelled, int digits, StringBuilder text)
    {
        if (spelled.Length <= digits
            || !uint.TryParse(spelled.Slice(1, digits), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var point)
            || point > 0x10FFFF)
            throw Fault($"the escape \\{spelled[0]} needs {digits} hexadecimal digits of a character");
        if (point < 0x10000) text.Append((char)point);
        else text.Append(char.ConvertFromUtf32((int)point));
        return digits + 1;
    }

    static int Octal(ReadOnlySpan<char> spelled, StringBuilder text)
    {
        var (length, value) = (0, 0);
        for (; length < 3 && length < spelled.Length
            && spelled[length] is >= '0' and <= '7'; length++) value = value * 8 + spelled[length] - '0';
        text.Append((char)value);
        return length;
    }

    TemplateException Fault(string reason) => new(TemplateFault.Syntax, reason, Line);
}
