using System.Text;

namespace Serving.Text;

/// <summary>Ids into text, one after the other; the state between them.</summary>
/// <param name="tokenizer">The vocabulary.</param>
/// <param name="skipSpecial">Leave control tokens out.</param>
/// <param name="shown">Control tokens that are spelled out all the same.</param>
sealed class Detokenizer(Tokenizer tokenizer, bool skipSpecial, IReadOnlySet<int>? shown = null)
{
    readonly Utf8Stream _utf8 = new(tokenizer.DecodeRules.MarkEachInvalidByte);
    bool _started;

    /// <summary>Appends the text that <paramref name="id"/> completes.</summary>
    public void Push(int id, StringBuilder text)
    {
        var spelled = shown?.Contains(id) == true;
        if (skipSpecial && !spelled && tokenizer.IsSpecial(id))
            return;
        var bytes = spelled ? Encoding.UTF8.GetBytes(tokenizer.Token(id)) : tokenizer.Bytes(id);
        if (bytes.IsEmpty)
            return;
        if (!_started && tokenizer.DecodeRules.DropFirstSpace && tokenizer.Kind(id) is not TokenKind.Byte && bytes[0] == ' ')
            bytes = bytes[1..];
        _started = true;
        _utf8.Push(bytes, text);
    }

    public void Flush(StringBuilder text) => _utf8.Flush(text);
}
