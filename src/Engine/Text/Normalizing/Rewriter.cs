namespace Serving.Text;

/// <summary>Rewrites a stretch of text between added tokens; what comes from literal characters stays literal.</summary>
abstract class Rewriter
{
    /// <summary>Appends the rewritten stretch to <paramref name="output"/>; <paramref name="atStart"/> says that the stretch begins the text.</summary>
    public abstract void Apply(MarkedText input, MarkedBuffer output, bool atStart);
}

/// <summary>Puts a string before any stretch that is not empty.</summary>
sealed class Prepend(string prefix) : Rewriter
{
    public override void Apply(MarkedText input, MarkedBuffer output, bool atStart)
    {
        if (input.Text.Length > 0)
            output.Append(prefix, literal: false);
        output.Append(input);
    }
}

/// <summary>Replaces every occurrence of a string, from the left.</summary>
sealed class Replace(string pattern, string content) : Rewriter
{
    public override void Apply(MarkedText input, MarkedBuffer output, bool atStart)
    {
        while (input.Text.IndexOf(pattern, StringComparison.Ordinal) is var at and >= 0)
        {
            output.Append(input[..at]);
            output.Append(content, input.Literal.Slice(at, pattern.Length).Contains(true));
            input = input[(at + pattern.Length)..];
        }
        output.Append(input);
    }
}

/// <summary>Metaspace: spaces become marks, and a mark goes before each stretch, or the first alone, or none, unless it begins with one.</summary>
sealed class Metaspace(char mark, bool everywhere, bool atStartOnly) : Rewriter
{
    readonly Replace _spaces = new(" ", mark.ToString());

    public override void Apply(MarkedText input, MarkedBuffer output, bool atStart)
    {
        if ((everywhere || atStartOnly && atStart) && input.Text.Length > 0 && input.Text[0] != ' ' && input.Text[0] != mark)
            output.Append(mark, literal: false);
        _spaces.Apply(input, output, atStart);
    }
}

/// <summary>Byte-level <c>add_prefix_space</c>: a space before a stretch that does not begin with white space.</summary>
sealed class PrefixSpace : Rewriter
{
    public override void Apply(MarkedText input, MarkedBuffer output, bool atStart)
    {
        if (input.Text.Length > 0 && !char.IsWhiteSpace(input.Text[0]))
            output.Append(' ', literal: false);
        output.Append(input);
    }
}

/// <summary>SentencePiece's dummy prefix: one space before the text. Text between control tokens, which SentencePiece itself never sees as one text,
/// gets it too, but none where the template wrote one: so a chat gives the ids of its parts encoded one by one.</summary>
sealed class DummyPrefix : Rewriter
{
    public override void Apply(MarkedText input, MarkedBuffer output, bool atStart)
    {
        if (input.Text.Length > 0 && (atStart || input.Text[0] != ' '))
            output.Append(' ', literal: false);
        output.Append(input);
    }
}
