using System.Buffers;
using System.Text;

namespace Serving.Text;

/// <summary>What differs between byte-pair models whose merges are listed in order.</summary>
/// <param name="ByteLevel">The first symbols are bytes; otherwise characters.</param>
/// <param name="ByteFallback">A character without a token becomes its bytes' tokens.</param>
/// <param name="WholeWords">A word that is a token is that token, whatever the merges say.</param>
/// <param name="Unknown">Stands for what has no token; without it such bytes or characters vanish.</param>
/// <param name="FuseUnknown">A run of unknown characters is one token.</param>
readonly record struct MergeOptions(bool ByteLevel, bool ByteFallback, bool WholeWords, int? Unknown, bool FuseUnknown);

/// <summary>Byte-pair encoding with a list of merges, over bytes or over characters.</summary>
sealed class RankedMerges(Vocabulary vocabulary, PairTable pairs, MergeOptions options) : WordModel
{
    readonly int[] _bytes = [.. Enumerable.Range(0, 256).Select(b => options.ByteLevel
        ? vocabulary.Find(ByteAlphabet.Spelling([(byte)b]))
        : ByteTokens.Find(vocabulary, (byte)b))];

    protected override int? LongestToken => (options.ByteLevel || options.ByteFallback) && Array.TrueForAll(_bytes, id => id >= 0) ? vocabulary.LongestUtf8 : null;

    readonly struct Rule(PairTable pairs) : IMergeRule<int>
    {
        public bool TryMerge(in Symbol left, in Symbol right, out int order, out int result)
        {
            var found = pairs.TryGet(left.Id, right.Id, out var merge);
            (order, result) = (merge.Rank, merge.Result);
            return found;
        }
    }

    protected override void EncodeUtf8(ReadOnlySpan<byte> word, TokenList ids)
    {
        if (options.WholeWords && WholeWord(word) is var whole and >= 0)
        {
            ids.Add(whole);
            return;
        }
        var symbols = ArrayPool<Symbol>.Shared.Rent(word.Length);
        try
        {
            var count = options.ByteLevel ? StartWithBytes(word, symbols) : StartWithCharacters(word, symbols);
            count = Symbols.Merge<int, Rule>(symbols.AsSpan(0, count), new(pairs));
            foreach (var symbol in symbols.AsSpan(0, count))
                ids.Add(symbol.Id);
        }
        finally
        {
            ArrayPool<Symbol>.Shared.Return(symbols);
        }
    }

    int WholeWord(ReadOnlySpan<byte> word)
    {
        if (word.Length * 2L > vocabulary.LongestUtf8 * 2L + 2)
            return -1;
        var id = options.ByteLevel ? vocabulary.Find(ByteAlphabet.Spelling(word)) : vocabulary.Find(word);
        return vocabulary.Kind(id) is TokenKind.Normal ? id : -1;
    }

    int StartWithBytes(ReadOnlySpan<byte> word, Span<Symbol> symbols)
    {
        var count = 0;
        for (var i = 0; i < word.Length; i++)
            AddKnown(symbols, ref count, _bytes[word[i]], i, 1);
        return count;
    }

    int StartWithCharacters(ReadOnlySpan<byte> word, Span<Symbol> symbols)
    {
        var count = 0;
        for (int at = 0, length; at < word.Length; at += length)
        {
            Rune.DecodeFromUtf8(word[at..], out _, out length);
            var id = vocabulary.Find(word.Slice(at, length));
            if (id >= 0 || !TryFallBack(word, at, length, symbols, ref count))
                AddKnown(symbols, ref count, id, at, length);
        }
        return count;
    }

    bool TryFallBack(ReadOnlySpan<byte> word, int at, int length, Span<Symbol> symbols, ref int count)
    {
        if (!options.ByteFallback)
            return false;
        foreach (var b in word.Slice(at, length))
            if (_bytes[b] < 0)
                return false;
        for (var i = at; i < at + length; i++)
            AddKnown(symbols, ref count, _bytes[word[i]], i, 1);
        return true;
    }

    void AddKnown(Span<Symbol> symbols, ref int count, int id, int at, int length)
    {
        if (id < 0 && options is { FuseUnknown: true, Unknown: { } fused } && count > 0 && symbols[count - 1].Id == fused)
            symbols[count - 1].Length += length;
        else if ((id < 0 ? options.Unknown : id) is { } known)
            symbols[count++] = new(known, at, length);
    }
}
