using System.Text;

namespace Serving.Text;

/// <summary>Turns the ids of one generation into text as they come: a character leaves with the token that completes it, never in part. Not for several threads at once.</summary>
public sealed class TextStream
{
    readonly Detokenizer _detokenizer;
    readonly StringBuilder _text = new();

    /// <summary>A stream that continues <paramref name="prompt"/>: its text is not repeated, but a first space is kept and a character it left open is completed.</summary>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="prompt">What the text follows.</param>
    /// <param name="skipSpecial">Leave control tokens out.</param>
    /// <param name="shown">Control tokens that are spelled out all the same.</param>
    public TextStream(Tokenizer tokenizer, ReadOnlySpan<int> prompt = default, bool skipSpecial = true, IReadOnlySet<int>? shown = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _detokenizer = new(tokenizer, skipSpecial, shown);
        foreach (var id in prompt)
        {
            _detokenizer.Push(id, _text);
            _text.Clear();
        }
    }

    /// <summary>The text that becomes final with this token, often none; an id that no token has gives none.</summary>
    public string Push(int id)
    {
        _detokenizer.Push(id, _text);
        return Take();
    }

    /// <summary>What is left at the end: U+FFFD for a character that was never completed.</summary>
    public string Flush()
    {
        _detokenizer.Flush(_text);
        return Take();
    }

    string Take()
    {
        if (_text.Length == 0)
            return "";
        var piece = _text.ToString();
        _text.Clear();
        return piece;
    }
}
