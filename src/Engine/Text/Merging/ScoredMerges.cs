using System.Buffers;
using System.Text;

namespace Serving.Text;

/// <summary>SentencePiece's BPE: of all neighbours that together spell a piece, those with the highest score merge first; what stays no piece becomes its bytes, or unknown.</summary>
sealed class ScoredMerges : WordModel
{
    readonly Vocabulary _vocabulary;
    readonly float[] _scores;
    readonly int[]? _bytes;
    readonly int? _unknown;

    public ScoredMerges(Vocabulary vocabulary, float[] scores, int? unknown)
    {
        (_vocabulary, _scores, _unknown) = (vocabulary, scores, unknown);
        int[] bytes = [.. Enumerable.Range(0, 256).Select(b => ByteTokens.Find(vocabulary, (byte)b))];
        _bytes = bytes.All(id => vocabulary.Kind(id) is TokenKind.Byte) ? bytes : null;
        if (_bytes is null && unknown is null)
            throw new InvalidDataException("The vocabulary has neither a token for each byte nor one for what is unknown, so some texts have no ids.");
    }

    protected override int? LongestToken => _bytes is null ? null : _vocabulary.LongestUtf8;

    /// <summary>Higher scores first.</summary>
    readonly record struct Score(float Value) : IComparable<Score>
    {
        public int CompareTo(Score other) => other.Value.CompareTo(Value);
    }

    // A span cannot be a field of a rule that is a type argument, so the word comes along in an array.
    readonly struct Rule(Vocabulary vocabulary, float[] scores, byte[] word) : IMergeRule<Score>
    {
        public bool TryMerge(in Symbol left, in Symbol right, out Score order, out int result)
        {
            (order, result) = (default, -1);
            if (left.Length + right.Length > vocabulary.LongestUtf8)
                return false;
            result = vocabulary.Find(word.AsSpan(left.Start, left.Length + right.Length));
            if (vocabulary.Kind(result) is not (TokenKind.Normal or TokenKind.Unused or TokenKind.UserDefined))
                return false;
            order = new(scores[result]);
            return true;
        }
    }

    protected override void EncodeUtf8(ReadOnlySpan<byte> word, TokenList ids)
    {
        var symbols = ArrayPool<Symbol>.Shared.Rent(word.Length);
        var bytes = ArrayPool<byte>.Shared.Rent(word.Length);
        try
        {
            word.CopyTo(bytes);
            var count = 0;
            for (int at = 0, length; at < word.Length; at += length)
            {
                Rune.DecodeFromUtf8(word[at..], out _, out length);
                symbols[count++] = new(Piece(word.Slice(at, length)), at, length);
            }
            count = Symbols.Merge<Score, Rule>(symbols.AsSpan(0, count), new(_vocabulary, _scores, bytes));
            var start = ids.Count;
            foreach (var symbol in symbols.AsSpan(0, count))
                Add(symbol, word, ids, start);
        }
        finally
        {
            ArrayPool<Symbol>.Shared.Return(symbols);
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    int Piece(ReadOnlySpan<byte> spelling) => _vocabulary.Find(spelling) is var id
        && _vocabulary.Kind(id) is TokenKind.Normal or TokenKind.Unused or TokenKind.UserDefined ? id : -1;

    // A run of unknown characters is one token; only this word is looked at, whose ids may be remembered.
    void Add(Symbol symbol, ReadOnlySpan<byte> word, TokenList ids, int start)
    {
        if (symbol.Id >= 0)
            ids.Add(symbol.Id);
        else if (_bytes is not null)
            foreach (var b in word.Slice(symbol.Start, symbol.Length))
                ids.Add(_bytes[b]);
        else if (ids.Count == start || ids.Last != _unknown)
            ids.Add(_unknown!.Value);
    }
}
