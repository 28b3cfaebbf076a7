namespace Serving.Text.Templates.Library;

/// <summary>What Python takes for white space, and cutting it away.</summary>
static class PythonText
{
    /// <summary>Unicode's white space and the separators U+001C to U+001F.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    public static bool IsBlank(ReadOnlySpan<char> text) => TrimEnd(text) == 0;

    /// <summary>The length without white space at the end.</summary>
    public static int TrimEnd(ReadOnlySpan<char> text)
    {
        var end = text.Length;
        while (end > 0 && IsSpace(text[end - 1])) end--;
        return end;
    }

    /// <summary>The place of the first character that is no white space.</summary>
    public static int TrimStart(ReadOnlySpan<char> text)
    {
        var start = 0;
        while (start < text.Length && IsSpace(text[start])) start++;
        return start;
    }
}
