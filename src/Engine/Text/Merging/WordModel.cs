using System.Buffers;
using System.Text;

namespace Serving.Text;

/// <summary>Turns one word, as the pre-tokenizer cut it, into ids. Safe for many threads.</summary>
abstract class WordModel
{
    readonly WordCache _cache = new();

    /// <summary>Most bytes of a word that one token stands for; null where bytes may have no token, so that a long word may be few tokens.</summary>
    protected abstract int? LongestToken { get; }

    /// <exception cref="TooManyTokensException">The list has less room than the word takes, which is found before merging where the word's length says so.</exception>
    public void Encode(ReadOnlySpan<char> word, TokenList ids)
    {
        var cached = word.Length <= WordCache.LongestWord;
        if (cached && _cache.TryGet(word, out var known))
        {
            ids.Add(known);
            return;
        }
        var start = ids.Count;
        var bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(word.Length));
        try
        {
            var length = Encoding.UTF8.GetBytes(word, bytes);
            if (LongestToken is { } longest && length > (long)longest * ids.Room)
                throw new TooManyTokensException();
            EncodeUtf8(bytes.AsSpan(0, length), ids);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
        if (cached)
            _cache.Put(word, ids.Since(start));
    }

    protected abstract void EncodeUtf8(ReadOnlySpan<byte> word, TokenList ids);
}
