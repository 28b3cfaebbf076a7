using System.Runtime.InteropServices;

namespace Serving.Cache;

/// <summary>
/// Fixed places for the states of sequences: one for each that runs, and behind them snapshots. A snapshot is held while a step writes it;
/// then it is kept for those that begin alike, until it is the longest unused and another is to be written.
/// </summary>
public sealed class StatePool
{
    /// <summary>Stands for no place.</summary>
    public const int None = -1;

    readonly PagePool _places;
    readonly PagePool? _snapshots;
    readonly int _interval, _pageTokens;
    readonly List<int> _from = [], _to = [];

    /// <summary>Empty places.</summary>
    /// <param name="size">How many.</param>
    /// <param name="pageTokens">Tokens of a page.</param>
    /// <param name="interval">Tokens from one snapshot of a sequence to the next, made a multiple of a page.</param>
    public StatePool(CacheSize size, int pageTokens, int interval)
    {
        _places = new(size.Places);
        _snapshots = size.Snapshots > 0 ? new(size.Snapshots) : null;
        _pageTokens = pageTokens;
        _interval = (int)Math.Min(int.MaxValue / 2 / pageTokens * pageTokens, ((long)interval + pageTokens - 1) / pageTokens * pageTokens);
    }

    /// <summary>Places of running sequences.</summary>
    public PagePool Places => _places;

    /// <summary>Snapshots; null when there is no room for any.</summary>
    public PagePool? Snapshots => _snapshots;

    /// <summary>The place of a snapshot.</summary>
    public int PlaceOf(int snapshot) => _places.Pages + snapshot;

    /// <summary>
    /// The next position at which a sequence's state is to be kept: the last full page within its prompt but for the last token, which
    /// whoever repeats the prompt computes anew, and every multiple of the interval.
    /// </summary>
    public int NextSnapshot(int position, int promptLength)
    {
        var (regular, end) = ((position / _interval + 1) * _interval, (promptLength - 1) / _pageTokens * _pageTokens);
        return end > position ? Math.Min(regular, end) : regular;
    }

    /// <summary>Notes that a place is to be copied before the next step.</summary>
    internal void Copy(int from, int to)
    {
        _from.Add(from);
        _to.Add(to);
    }

    /// <summary>Hands out what is to be copied, in order, and forgets it.</summary>
    public void Flush(CopyPlaces copy)
    {
        if (_from.Count > 0) copy(CollectionsMarshal.AsSpan(_from), CollectionsMarshal.AsSpan(_to));
        _from.Clear();
        _to.Clear();
    }

    /// <summary>Recounts the books against the places and snapshots that sequences hold; throws InvalidOperationException when they do not agree.</summary>
    public void Check(IEnumerable<int> places, IEnumerable<int> snapshots)
    {
        Check(_places, "Place", places);
        if (_snapshots is not null) Check(_snapshots, "Snapshot", snapshots);
    }

    static void Check(PagePool pool, string what, IEnumerable<int> held)
    {
        pool.Check();
        var holders = new int[pool.Pages];
        foreach (var place in held) holders[place]++;
        for (var place = 0; place < holders.Length; place++)
            if (pool.Holders(place) != holders[place])
                throw new InvalidOperationException($"{what} {place} has {holders[place]} holders; its pool counts {pool.Holders(place)}.");
    }
}

/// <summary>Copies places: from[i] onto to[i], in order.</summary>
public delegate void CopyPlaces(ReadOnlySpan<int> from, ReadOnlySpan<int> to);
