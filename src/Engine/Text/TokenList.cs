using System.Runtime.InteropServices;

namespace Serving.Text;

/// <summary>The ids of a text as they are found, up to a greatest number.</summary>
sealed class TokenList(int most, int capacity)
{
    readonly List<int> _ids = new(capacity);

    /// <summary>How many more there may be.</summary>
    public int Room => most - _ids.Count;

    public int Count => _ids.Count;

    public void Add(int id)
    {
        _ids.Add(id);
        if (_ids.Count > most)
            throw new TooManyTokensException();
    }

    public void Add(ReadOnlySpan<int> ids)
    {
        _ids.AddRange(ids);
        if (_ids.Count > most)
            throw new TooManyTokensException();
    }

    /// <summary>The ids from one on.</summary>
    public ReadOnlySpan<int> Since(int start) => CollectionsMarshal.AsSpan(_ids)[start..];

    public int Last => _ids[^1];

    public int[] ToArray() => [.. _ids];
}

/// <summary>
/// Ends the way of a text whose tokens are more than wanted. Splitters hand pieces on from within their own loops, so that nothing short of an
/// exception leaves all of them at once.
/// </summary>
sealed class TooManyTokensException : Exception;
