using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Serving.Text;

/// <summary>Bytes of text in any portions: whole characters leave at once, what can be no character leaves as U+FFFD.</summary>
sealed class Utf8Stream(bool markEachByte)
{
    byte[] _bytes = new byte[32];
    int _count;

    /// <summary>Whether no part of a character waits for the rest.</summary>
    public bool IsEmpty => _count == 0;

    public void Push(ReadOnlySpan<byte> bytes, StringBuilder text)
    {
        if (_bytes.Length - _count < bytes.Length)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, checked(_count + bytes.Length)));
        bytes.CopyTo(_bytes.AsSpan(_count));
        _count += bytes.Length;
        Drain(text, final: false);
    }

    /// <summary>Ends the text: a part of a character that waits becomes U+FFFD.</summary>
    public void Flush(StringBuilder text) => Drain(text, final: true);

    void Drain(StringBuilder text, bool final)
    {
        var rest = _bytes.AsSpan(0, _count);
        if (Utf8.IsValid(rest))
        {
            AppendValid(rest, text);
            rest = default;
        }
        while (rest.Length > 0)
        {
            var status = Rune.DecodeFromUtf8(rest, out var rune, out var length);
            if (status == OperationStatus.NeedMoreData && !final)
                break;
            if (status == OperationStatus.Done)
                AppendValid(rest[..length], text);
            else
                text.Append('\uFFFD', markEachByte ? length : 1);
            rest = rest[length..];
        }
        rest.CopyTo(_bytes);
        _count = rest.Length;
    }

    static void AppendValid(ReadOnlySpan<byte> utf8, StringBuilder text)
    {
        Span<char> characters = stackalloc char[128];
        while (utf8.Length > 0)
        {
            Utf8.ToUtf16(utf8, characters, out var read, out var written);
            text.Append(characters[..written]);
            utf8 = utf8[read..];
        }
    }
}
