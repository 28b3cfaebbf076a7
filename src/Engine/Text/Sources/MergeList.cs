using System.Text;

namespace Serving.Text;

/// <summary>A list of merges on its way to a <see cref="PairTable"/>: each line's parts and their result must be tokens.</summary>
sealed class MergeList(Vocabulary vocabulary, int count)
{
    readonly PairTable _pairs = new(count);
    byte[] _joined = new byte[64];
    int _rank;

    public PairTable Pairs => _pairs;

    /// <summary>Adds a merge spelled <c>left right</c>.</summary>
    public void Add(ReadOnlySpan<byte> line)
    {
        var space = line.IndexOf((byte)' ');
        if (space <= 0 || space == line.Length - 1 || line[(space + 1)..].Contains((byte)' '))
            throw new InvalidDataException($"Merge {_rank} is '{Encoding.UTF8.GetString(line)}'; a merge is two tokens with one space between.");
        Add(line[..space], line[(space + 1)..]);
    }

    public void Add(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        if (_joined.Length < left.Length + right.Length)
            _joined = new byte[(left.Length + right.Length) * 2];
        left.CopyTo(_joined);
        right.CopyTo(_joined.AsSpan(left.Length));
        var merge = new PairTable.Merge(_rank, Find(_joined.AsSpan(0, left.Length + right.Length)));
        // The libraries let a later line for the same pair win; a file with two is taken as damaged.
        if (!_pairs.TryAdd(Find(left), Find(right), merge))
            throw new InvalidDataException($"Merge {_rank} joins '{Encoding.UTF8.GetString(left)}' and '{Encoding.UTF8.GetString(right)}', as an earlier merge does.");
        _rank++;
    }

    int Find(ReadOnlySpan<byte> token) => vocabulary.Find(token) is var id and >= 0 ? id : throw new InvalidDataException(
        $"Merge {_rank} names '{Encoding.UTF8.GetString(token)}', which is not in the vocabulary of {vocabulary.Count} tokens.");
}
