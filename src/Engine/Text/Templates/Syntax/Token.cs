namespace Serving.Text.Templates.Syntax;

/// <summary>What a token is.</summary>
enum TokenKind { Text, BeginPrint, EndPrint, BeginBlock, EndBlock, Name, Operator, String, Integer, Float, End }

/// <summary>A token: its kind, its spelling (the decoded value of a string) and its 1-based line.</summary>
readonly record struct Token(TokenKind Kind, string Text, int Line)
{
    public bool Is(TokenKind kind, string text) => Kind == kind && Text == text;

    /// <summary>The token as an error message names it.</summary>
    public string Described => Kind switch
    {
        TokenKind.End => "end of template",
        TokenKind.EndPrint => "end of print statement",
        TokenKind.EndBlock => "end of statement block",
        TokenKind.Text => "template text",
        TokenKind.String => $"string '{Text}'",
        _ => Text,
    };
}
