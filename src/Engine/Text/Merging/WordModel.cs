using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Serving.Text;

/// <summary>Turns one word, as the pre-tokenizer cut it, into ids. Safe for many threads.</summary>
abstract class WordModel
{
    readonly WordCache _cache = new();

    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        var cached = word.Length <= WordCache.LongestWord;
        if (cached && _cache.TryGet(word, out var known))
        {
            ids.AddRange(known);
            return;
        }
        var start = ids.Count;
        var bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(word.Length));
        try
        {
            EncodeUtf8(bytes.AsSpan(0, Encoding.UTF8.GetBytes(word, bytes)), ids);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
        if (cached)
            _cache.Put(word, CollectionsMarshal.AsSpan(ids)[start..]);
    }

    protected abstract void EncodeUtf8(ReadOnlySpan<byte> word, List<int> ids);
}
