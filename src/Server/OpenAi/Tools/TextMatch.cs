namespace Serving.Server.OpenAi;

/// <summary>How a text compares with what is looked for.</summary>
enum Fit
{
    Not,

    /// <summary>As far as the text goes.</summary>
    Partly,
    Whole,
}

/// <summary>Compares texts whose ends may not have come yet.</summary>
static class TextMatch
{
    /// <summary>Whether a text begins with a sign, white space aside; <paramref name="length"/> characters of it do.</summary>
    public static Fit Of(ReadOnlySpan<char> text, ReadOnlySpan<char> sign, out int length)
    {
        length = 0;
        foreach (var wanted in sign)
        {
            if (char.IsWhiteSpace(wanted))
                continue;
            while (length < text.Length && char.IsWhiteSpace(text[length]))
                length++;
            if (length == text.Length)
                return Fit.Partly;
            if (text[length] != wanted)
                return Fit.Not;
            length++;
        }
        return Fit.Whole;
    }

    /// <summary>Characters at the end of a text that the sign may begin with.</summary>
    public static int OpenEnd(ReadOnlySpan<char> text, ReadOnlySpan<char> sign)
    {
        for (var length = Math.Min(sign.Length - 1, text.Length); length > 0; length--)
            if (text[^length..].SequenceEqual(sign[..length]))
                return length;
        return 0;
    }
}
