namespace Serving.Text;

/// <summary>Rewrites a stretch of text before it is cut into words; what comes from literal characters is literal.</summary>
abstract class Normalizer
{
    /// <summary>Appends the rewritten text to <paramref name="output"/>.</summary>
    public abstract void Apply(MarkedText input, MarkedBuffer output);
}

/// <summary>Puts a string before any text that is not empty.</summary>
sealed class Prepend(string prefix) : Normalizer
{
    public override void Apply(MarkedText input, MarkedBuffer output)
    {
        if (input.Text.Length > 0)
            output.Append(prefix, literal: false);
        output.Append(input);
    }
}

/// <summary>Replaces every occurrence of a string, from the left.</summary>
sealed class Replace(string pattern, string content) : Normalizer
{
    public override void Apply(MarkedText input, MarkedBuffer output)
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

/// <summary>Rewrites a stretch between added tokens before it is cut into words.</summary>
abstract class StretchRewriter
{
    /// <summary>Appends the rewritten stretch; <paramref name="atStart"/> says that it begins the text.</summary>
    public abstract void Apply(MarkedText input, MarkedBuffer output, bool atStart);
}

/// <summary>Metaspace: spaces become marks, and a mark goes before each stretch, or the first alone, or none, unless it begins with one.</summary>
sealed class Metaspace(char mark, bool everywhere, bool atStartOnly) : StretchRewriter
{
    readonly Replace _spaces = new(" ", mark.ToString());

    public override void Apply(MarkedText input, MarkedBuffer output, bool atStart)
    {
        if ((everywhere || atStartOnly && atStart) && input.Text.Length > 0 && input.Text[0] != ' ' && input.Text[0] != mark)
            output.Append(mark, literal: false);
        _spaces.Apply(input, output);
    }
}

/// <summary>Byte-level <c>add_prefix_space</c>: a space before a stretch that does not begin with white space.</summary>
sealed class PrefixSpace : StretchRewriter
{
    public override void Apply(MarkedText input, MarkedBuffer output, bool atStart)
    {
        if (input.Text.Length > 0 && !char.IsWhiteSpace(input.Text[0]))
            output.Append(' ', literal: false);
        output.Append(input);
    }
}
