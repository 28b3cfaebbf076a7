namespace Serving.Cache;

/// <summary>
/// Hands out the pages of one group. A page is held by the tables that list it, or else it is free; a free page that was marked with
/// <see cref="Keep"/> has its content until it is handed out again, and can be revived by <see cref="Share"/>.
/// </summary>
public sealed class PagePool
{
    // The free pages are a ring through one entry past the last page: empty pages first, then kept ones, the longest unused in front.
    readonly int[] _holders, _next, _previous;
    readonly bool[] _kept;

    /// <summary>A pool of empty pages.</summary>
    public PagePool(int pages)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pages, 1);
        (Pages, Empty) = (pages, pages);
        (_holders, _kept) = (new int[pages], new bool[pages]);
        (_next, _previous) = (new int[pages + 1], new int[pages + 1]);
        for (var i = 0; i <= pages; i++) (_next[i], _previous[(i + 1) % (pages + 1)]) = ((i + 1) % (pages + 1), i);
    }

    /// <summary>Pages in all.</summary>
    public int Pages { get; }

    /// <summary>Free pages without content.</summary>
    public int Empty { get; private set; }

    /// <summary>Free pages that can be revived.</summary>
    public int Cached { get; private set; }

    /// <summary>Pages that can be handed out.</summary>
    public int Available => Empty + Cached;

    /// <summary>Pages in tables.</summary>
    public int Held => Pages - Available;

    /// <summary>Takes an empty page, or else the kept one that was unused for longest; its content is lost, <paramref name="evicted"/>.</summary>
    public int Take(out bool evicted)
    {
        if (Available == 0) throw new InvalidOperationException($"All {Pages} pages are held: the caller must look at Available first.");
        var page = _next[Pages];
        evicted = _kept[page];
        Unlink(page);
        _kept[page] = false;
        _holders[page] = 1;
        return page;
    }

    /// <summary>Adds a holder; a free page is revived in place.</summary>
    public void Share(int page)
    {
        if (_holders[page] == 0)
        {
            if (!_kept[page]) throw new InvalidOperationException($"Page {page} is free and empty: there is nothing to share.");
            Unlink(page);
        }

        _holders[page]++;
    }

    /// <summary>Removes a holder. Without holders a kept page becomes the last to be handed out, an empty one the first.</summary>
    public void Drop(int page)
    {
        if (_holders[page] == 0) throw new InvalidOperationException($"Page {page} has no holder that could drop it.");
        if (--_holders[page] == 0) Link(page);
    }

    /// <summary>Marks a held page as one whose content is worth finding again.</summary>
    public void Keep(int page) => _kept[page] = _holders[page] > 0
        ? true
        : throw new InvalidOperationException($"Page {page} is free: only a holder can keep it.");

    /// <summary>How many tables hold a page.</summary>
    public int Holders(int page) => _holders[page];

    /// <summary>True when a free page can be revived.</summary>
    public bool IsCached(int page) => _holders[page] == 0 && _kept[page];

    /// <summary>Recounts the books and throws InvalidOperationException when they do not agree.</summary>
    public void Check()
    {
        int empty = 0, cached = 0;
        for (var page = _next[Pages]; page != Pages; page = _next[page])
        {
            if (_holders[page] != 0) throw new InvalidOperationException($"Page {page} is free and has {_holders[page]} holders.");
            if (_previous[_next[page]] != page) throw new InvalidOperationException($"The free ring is broken behind page {page}.");
            if (!_kept[page] && cached > 0) throw new InvalidOperationException($"Empty page {page} stands behind kept pages.");
            if (_kept[page]) cached++; else empty++;
        }

        var held = _holders.Count(holders => holders > 0);
        if ((empty, cached, held) != (Empty, Cached, Held))
            throw new InvalidOperationException(
                $"Counted {empty} empty, {cached} cached, {held} held pages; the books say {Empty}, {Cached}, {Held}.");
    }

    void Link(int page)
    {
        var after = _kept[page] ? _previous[Pages] : Pages;
        (_previous[page], _next[page]) = (after, _next[after]);
        _previous[_next[after]] = page;
        _next[after] = page;
        if (_kept[page]) Cached++; else Empty++;
    }

    void Unlink(int page)
    {
        (_next[_previous[page]], _previous[_next[page]]) = (_next[page], _previous[page]);
        if (_kept[page]) Cached--; else Empty--;
    }
}
