namespace Serving.Cache;

/// <summary>A sequence's pages of one group: entry i is the page of its tokens i * PageTokens and on.</summary>
public sealed class PageTable
{
    /// <summary>Stands where a page was given back, or never taken, because no later token can read it.</summary>
    public const int None = -1;

    int[] _pages = new int[8];

    /// <summary>The first entry that holds a page.</summary>
    public int First { get; private set; }

    /// <summary>Entries, those before <see cref="First"/> included.</summary>
    public int Count { get; private set; }

    /// <summary>All entries.</summary>
    public ReadOnlySpan<int> Entries => _pages.AsSpan(0, Count);

    /// <summary>The entries that hold a page.</summary>
    public ReadOnlySpan<int> Held => _pages.AsSpan(First, Count - First);

    internal void Add(int page)
    {
        if (Count == _pages.Length) Array.Resize(ref _pages, 2 * Count);
        _pages[Count++] = page;
    }

    internal int RemoveLast() => _pages[--Count];

    internal int RemoveFirst()
    {
        var page = _pages[First];
        _pages[First++] = None;
        return page;
    }

    /// <summary>Makes an empty table begin at an entry.</summary>
    internal void StartAt(int first)
    {
        for (Count = 0; Count < first;) Add(None);
        First = first;
    }

    /// <summary>Sets the entries before <see cref="First"/> to those of another table, which keeps them.</summary>
    internal ReadOnlySpan<int> TakeHead(PageTable other)
    {
        var head = other._pages.AsSpan(other.First, First - other.First);
        head.CopyTo(_pages.AsSpan(other.First));
        First = other.First;
        return head;
    }

    internal void Clear() => (First, Count) = (0, 0);
}

/// <summary>A sequence's page tables, one for each group, the place of its states, and how much of it the prefix cache knows.</summary>
/// <param name="groups">Groups of layers.</param>
public sealed class PageTables(int groups)
{
    readonly PageTable[] _tables = [.. Enumerable.Range(0, groups).Select(_ => new PageTable())];

    /// <summary>Groups of layers.</summary>
    public int Groups => _tables.Length;

    /// <summary>The table of a group.</summary>
    public PageTable this[int group] => _tables[group];

    /// <summary>Where its states lie; none for a model without, or a sequence without pages.</summary>
    public int Place { get; internal set; } = StatePool.None;

    /// <summary>Where its states lie as they were before the guesses of the step at hand; none for a step without.</summary>
    public int BeforeDraft { get; internal set; } = StatePool.None;

    /// <summary>Snapshots that the step at hand writes, by position.</summary>
    internal List<(int Position, int Snapshot)> Snapshots { get; } = [];

    /// <summary>What it has in host memory while it waits without pages; null for nothing.</summary>
    internal SwappedPages? Swapped { get; set; }

    /// <summary>The prefix of <see cref="Published"/> full pages, held; none for a sequence that does not share.</summary>
    internal int Prefix { get; set; } = PrefixCache.None;

    /// <summary>Full pages behind <see cref="Prefix"/>.</summary>
    internal int Published { get; set; }
}
