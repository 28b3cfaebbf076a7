namespace Serving.Text.Templates.Syntax;

/// <summary>The tokens of a template, read one after another, with the errors of a parser.</summary>
sealed class TokenStream(List<Token> tokens)
{
    int _at;

    public Token Current => tokens[_at];

    public Token Next => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    public int Line => Current.Line;

    public Token Take()
    {
        var token = tokens[_at];
        if (token.Kind != TokenKind.End) _at++;
        return token;
    }

    public bool IsName(string name) => Current.Is(TokenKind.Name, name);

    public bool IsOperator(string symbol) => Current.Is(TokenKind.Operator, symbol);

    public bool TrySkipName(string name) => TrySkip(IsName(name));

    public bool TrySkipOperator(string symbol) => TrySkip(IsOperator(symbol));

    public Token Expect(TokenKind kind, string what) => Current.Kind == kind ? Take() : throw Unexpected(what);

    public void ExpectOperator(string symbol)
    {
        if (!TrySkipOperator(symbol)) throw Unexpected($"'{symbol}'");
    }

    public void ExpectName(string name)
    {
        if (!TrySkipName(name)) throw Unexpected($"'{name}'");
    }

    public TemplateException Unexpected(string expected) => Fault($"unexpected '{Current.Described}', expected {expected}");

    public TemplateException Fault(string reason) => new(TemplateFault.Syntax, reason, Line);

    bool TrySkip(bool matches)
    {
        if (matches) _at++;
        return matches;
    }
}
