using System.Collections.Immutable;

namespace Serving.Cache;

/// <summary>
/// Who holds which page, in every group: the pools, the tree of prefixes, and each move of pages between them and the tables of sequences.
/// Where layers keep states, also who holds which place; a snapshot is known to the tree as one more page of the prefix that ends there.
/// </summary>
/// <remarks>
/// <code>
///            TryGrow                      Publish
///   empty ------------> held by a table ----------> held and known to the tree
///     ^  ^                 |                           |             ^
///     |  +-----------------+ Release, Trim             | Release,    | Adopt
///     |                                                v Trim        |
///     +------------------ eviction (TryGrow) ------- cached ---------+
/// </code>
/// </remarks>
public sealed partial class PageLedger
{
    readonly ImmutableArray<PageGroup> _groups;
    readonly PagePool[] _pools;
    readonly PrefixCache? _prefixes;
    readonly int _pageTokens;
    readonly List<int> _path = [];
    readonly int[] _runs;
    readonly StatePool? _states;
    readonly bool _needsSnapshots;

    /// <summary>Books over pools of these sizes, one a group of the layout, and its places.</summary>
    /// <param name="layout">Where everything lies.</param>
    /// <param name="size">How much of it there is.</param>
    /// <param name="sharePrefixes">Whether sequences share what they begin with.</param>
    /// <param name="snapshotTokens">Tokens from one snapshot of a sequence's states to the next.</param>
    public PageLedger(CacheLayout layout, CacheSize size, bool sharePrefixes, int snapshotTokens = 1024) : this(
        layout, size, sharePrefixes ? new PrefixCache([.. size.Pages, size.Snapshots], layout.PageTokens) : null, snapshotTokens)
    {
    }

    internal PageLedger(CacheLayout layout, CacheSize size, PrefixCache? prefixes, int snapshotTokens = 1024)
    {
        if (size.Pages.Length != layout.Groups.Length)
            throw new ArgumentException($"{size.Pages.Length} pools for {layout.Groups.Length} groups of layers.", nameof(size));
        (_groups, _pageTokens, _prefixes) = (layout.Groups, layout.PageTokens, prefixes);
        _pools = [.. size.Pages.Select(count => new PagePool(count))];
        _runs = new int[size.Pages.Length];
        if (layout.States.PlaceBytes > 0) _states = new(size, _pageTokens, snapshotTokens);
        _needsSnapshots = layout.States.NeedsSnapshots;
        if (size.Swap is { } swap) Swap = new(layout, swap);
    }

    /// <summary>The groups of layers.</summary>
    public ImmutableArray<PageGroup> Groups => _groups;

    /// <summary>Tokens of a page.</summary>
    public int PageTokens => _pageTokens;

    /// <summary>The pool of each group.</summary>
    public IReadOnlyList<PagePool> Pools => _pools;

    /// <summary>The tree of prefixes; null when nothing is shared.</summary>
    public PrefixCache? Prefixes => _prefixes;

    /// <summary>The places of states; null for a model without.</summary>
    public StatePool? States => _states;

    /// <summary>Kept pages that were handed out again.</summary>
    public long Evictions { get; private set; }

    /// <summary>Kept snapshots that were written over.</summary>
    public long SnapshotEvictions { get; private set; }

    /// <summary>Tokens whose rows were there to be shared, but not the state behind them, so that they were computed.</summary>
    public long SnapshotMissedTokens { get; private set; }

    /// <summary>Admissions that shared nothing, though rows of theirs were there, because no state was.</summary>
    public long SnapshotMisses { get; private set; }

    /// <summary>Grows with every page that a table gave back, so that a caller sees when asking again makes sense.</summary>
    public long Returned { get; private set; }

    /// <summary>
    /// Begins empty tables with what the tree still has of these tokens, but for the last one, whose row must be computed, and takes the
    /// pages of the others. Returns how many tokens are shared, or null when there are too few pages; then no page has changed hands.
    /// </summary>
    public int? TryAdmit(PageTables tables, ReadOnlySpan<int> known, AdmitTerms terms)
    {
        if (tables.Prefix == PrefixCache.None && _prefixes is not null) tables.Prefix = _prefixes.Root(terms.Seed);
        if (_states is not null && _states.Places.Available < 1 + terms.Forks) return null;
        var (shared, rows) = terms.Reuse ? Match(tables.Prefix, known[..Math.Min(known.Length - 1, terms.Shareable)]) : (0, 0);
        var sharedTokens = shared * _pageTokens;
        var step = Math.Min(known.Length, sharedTokens + terms.StepTokens);
        for (var group = 0; group < _groups.Length; group++)
        {
            var first = _groups[group].FirstPage(sharedTokens);
            var revived = 0;
            for (var i = first; i < shared; i++)
                if (_pools[group].IsCached(_prefixes!.Page(_path[i], group))) revived++;
            var needed = Reach(group, step, known.Length) - shared + (HasOpenPage(known.Length) ? terms.Forks : 0);
            if (needed > _pools[group].Available - revived) return null;
        }

        Adopt(tables, shared);
        Grow(tables, step, known.Length);
        if (_states is not null) TakePlace(tables, shared);
        SnapshotMissedTokens += (long)(rows - shared) * _pageTokens;
        if (rows > 0 && shared == 0) SnapshotMisses++;
        return sharedTokens;
    }

    /// <summary>Gives the empty tables of a fork-to-be the page for its copy of the open page, and its place, which the admission counted in.</summary>
    public void TakeSpare(PageTables fork, int tokens)
    {
        for (var group = 0; group < _groups.Length && HasOpenPage(tokens); group++)
        {
            fork[group].StartAt(tokens / _pageTokens);
            fork[group].Add(Take(group));
        }

        if (_states is not null) fork.Place = _states.Places.Take(out _);
    }

    /// <summary>Gives every group pages for this many tokens, or changes nothing and returns false.</summary>
    public bool TryGrow(PageTables tables, int tokens)
    {
        for (var group = 0; group < _groups.Length; group++)
            if (_groups[group].PagesOver(tokens) - tables[group].Count > _pools[group].Available) return false;
        Grow(tables, tokens, tokens);
        return true;
    }

    /// <summary>
    /// Gives every group pages for tokens that are known and guessed, and where layers keep states, room for the states before the guesses;
    /// or changes nothing and returns false. <see cref="Settle"/> follows when the guesses are verified.
    /// </summary>
    public bool TryDraft(PageTables tables, int tokens)
    {
        if (_states is { Places.Available: 0 } || !TryGrow(tables, tokens)) return false;
        if (_states is not null) tables.BeforeDraft = _states.Places.Take(out _);
        return true;
    }

    /// <summary>
    /// Gives back the pages behind the tokens that are known after all. Where some guess was wrong and layers keep states, these are taken
    /// back to where they were before the first, and true is returned: all guessed rows must be computed again.
    /// </summary>
    public bool Settle(PageTables tables, int known, bool wrong)
    {
        for (var group = 0; group < _groups.Length; group++)
            for (var count = _groups[group].PagesOver(known); tables[group].Count > count;)
                Drop(group, tables[group].RemoveLast());
        if (tables.BeforeDraft == StatePool.None) return false;
        if (wrong) _states!.Copy(tables.BeforeDraft, tables.Place);
        DropBeforeDraft(tables);
        return wrong;
    }

    /// <summary>Makes full pages known to the tree: those whose tokens are computed and will stay.</summary>
    public void Publish(PageTables tables, ReadOnlySpan<int> settled)
    {
        while (tables.Prefix != PrefixCache.None && (tables.Published + 1) * _pageTokens <= settled.Length)
        {
            var node = _prefixes!.FindOrAdd(tables.Prefix, settled.Slice(tables.Published * _pageTokens, _pageTokens));
            if (node != PrefixCache.None)
            {
                _prefixes.Hold(node);
                for (var group = 0; group < _groups.Length; group++)
                {
                    var page = tables[group].Entries[tables.Published];
                    if (page != PageTable.None && _prefixes.Attach(node, group, page)) _pools[group].Keep(page);
                }
            }

            _prefixes.Release(tables.Prefix);
            tables.Prefix = node;
            tables.Published++;
            if (node != PrefixCache.None) PublishSnapshot(tables, node);
        }

        DropSnapshots(tables);
    }

    /// <summary>
    /// The next position behind <paramref name="position"/> at which a sequence's states are to be kept, if they are worth keeping: where
    /// rows are shared and a sequence that begins behind them needs the states.
    /// </summary>
    public int NextSnapshot(PageTables tables, int position, int promptLength) =>
        _needsSnapshots && _states!.Snapshots is not null && tables.Prefix != PrefixCache.None
            ? _states.NextSnapshot(position, promptLength)
            : int.MaxValue;

    /// <summary>A place for the states that the step being filled leaves at a position, until its pages are published; None when all are held.</summary>
    public int TakeSnapshot(PageTables tables, int position)
    {
        if (_states!.Snapshots is not { Available: > 0 } snapshots) return StatePool.None;
        var snapshot = snapshots.Take(out var evicted);
        if (evicted)
        {
            _prefixes!.Detach(_groups.Length, snapshot);
            SnapshotEvictions++;
        }

        tables.Snapshots.Add((position, snapshot));
        return _states.PlaceOf(snapshot);
    }

    /// <summary>Gives back the pages that the token at a position, and all after it, cannot read.</summary>
    public void Trim(PageTables tables, int position)
    {
        for (var group = 0; group < _groups.Length; group++)
            for (var first = _groups[group].FirstPage(position); tables[group].First < first;)
                Drop(group, tables[group].RemoveFirst());
    }

    /// <summary>
    /// Lets a fork, which holds its spare page at most, share the full pages of the first <paramref name="tokens"/>; true when the spare
    /// page is to receive a copy of the open one.
    /// </summary>
    public bool Fork(PageTables from, PageTables to, int tokens)
    {
        var full = tokens / _pageTokens;
        for (var group = 0; group < _groups.Length; group++)
        {
            if (to[group].Count == 0) to[group].StartAt(full);
            foreach (var page in to[group].TakeHead(from[group])) _pools[group].Share(page);
        }

        to.Prefix = from.Prefix;
        to.Published = from.Published;
        if (to.Prefix != PrefixCache.None) _prefixes!.Hold(to.Prefix);
        _states?.Copy(from.Place, to.Place);
        return HasOpenPage(tokens);
    }

    /// <summary>Gives everything back, the last page first: the heads of prefixes outlive their tails.</summary>
    public void Release(PageTables tables)
    {
        for (var group = 0; group < _groups.Length; group++)
        {
            while (tables[group].Count > tables[group].First) Drop(group, tables[group].RemoveLast());
            tables[group].Clear();
        }

        if (tables.Prefix != PrefixCache.None) _prefixes!.Release(tables.Prefix);
        (tables.Prefix, tables.Published) = (PrefixCache.None, 0);
        DropSnapshots(tables);
        DropBeforeDraft(tables);
        if (tables.Place == StatePool.None) return;
        _states!.Places.Drop(tables.Place);
        tables.Place = StatePool.None;
        Returned++;
    }

    /// <summary>Recounts all books against the tables of all sequences; throws InvalidOperationException when they do not agree.</summary>
    public void Check(IReadOnlyCollection<PageTables> all)
    {
        for (var group = 0; group < _groups.Length; group++)
        {
            _pools[group].Check();
            var holders = new int[_pools[group].Pages];
            foreach (var tables in all)
                foreach (var page in tables[group].Held) holders[page]++;
            for (var page = 0; page < holders.Length; page++)
                if (_pools[group].Holders(page) is var counted && holders[page] != counted)
                    throw new InvalidOperationException(
                        $"Page {page} of group {group} is in {holders[page]} tables; its pool counts {counted}.");
        }

        _states?.Check(
            all.SelectMany(tables => (int[])[tables.Place, tables.BeforeDraft]).Where(place => place != StatePool.None),
            all.SelectMany(tables => tables.Snapshots).Select(kept => kept.Snapshot));
        Swap?.Check(all);
        _prefixes?.Check(all.Select(tables => tables.Prefix).Where(node => node != PrefixCache.None));
    }

    /// <summary>
    /// Longest prefix, in pages, with all rows that later tokens read and the states that they go on from; and the longest with the rows
    /// alone. Its nodes are left in the path.
    /// </summary>
    (int Found, int Rows) Match(int node, ReadOnlySpan<int> tokens)
    {
        _path.Clear();
        _runs.AsSpan().Clear();
        var (found, rows) = (0, 0);
        for (var depth = 1; node != PrefixCache.None && depth * _pageTokens <= tokens.Length; depth++)
        {
            node = _prefixes!.Find(node, tokens.Slice((depth - 1) * _pageTokens, _pageTokens));
            if (node == PrefixCache.None) break;
            _path.Add(node);
            var readable = true;
            for (var group = 0; group < _groups.Length; group++)
            {
                _runs[group] = _prefixes.Page(node, group) == PrefixCache.None ? 0 : _runs[group] + 1;
                readable &= _runs[group] >= depth - _groups[group].FirstPage(depth * _pageTokens);
            }

            if (!readable) continue;
            rows = depth;
            if (!_needsSnapshots || _prefixes.Page(node, _groups.Length) != PrefixCache.None) found = depth;
        }

        return (found, rows);
    }

    // A snapshot that is used becomes the last to be written over; the copy is made before the step writes any.
    void TakePlace(PageTables tables, int shared)
    {
        tables.Place = _states!.Places.Take(out _);
        if (shared == 0 || !_needsSnapshots) return;
        var snapshot = _prefixes!.Page(_path[shared - 1], _groups.Length);
        _states.Snapshots!.Share(snapshot);
        _states.Snapshots.Drop(snapshot);
        _states.Copy(_states.PlaceOf(snapshot), tables.Place);
    }

    void PublishSnapshot(PageTables tables, int node)
    {
        foreach (var (position, snapshot) in tables.Snapshots)
            if (position == tables.Published * _pageTokens && _prefixes!.Attach(node, _groups.Length, snapshot)) _states!.Snapshots!.Keep(snapshot);
    }

    void DropSnapshots(PageTables tables)
    {
        foreach (var (_, snapshot) in tables.Snapshots) _states!.Snapshots!.Drop(snapshot);
        tables.Snapshots.Clear();
    }

    void DropBeforeDraft(PageTables tables)
    {
        if (tables.BeforeDraft != StatePool.None) _states!.Places.Drop(tables.BeforeDraft);
        tables.BeforeDraft = StatePool.None;
    }

    void Adopt(PageTables tables, int shared)
    {
        if (shared == 0) return;
        for (var group = 0; group < _groups.Length; group++)
        {
            var first = _groups[group].FirstPage(shared * _pageTokens);
            tables[group].StartAt(first);
            for (var i = first; i < shared; i++)
            {
                var page = _prefixes!.Page(_path[i], group);
                _pools[group].Share(page);
                tables[group].Add(page);
            }
        }

        _prefixes!.Hold(_path[shared - 1]);
        _prefixes.Release(tables.Prefix);
        (tables.Prefix, tables.Published) = (_path[shared - 1], shared);
    }

    int Reach(int group, int step, int all) => _groups[group].PagesOver(_groups[group].KeepsAll ? all : step);
    bool HasOpenPage(int tokens) => tokens % _pageTokens > 0;

    void Grow(PageTables tables, int step, int all)
    {
        for (var group = 0; group < _groups.Length; group++)
            for (var count = Reach(group, step, all); tables[group].Count < count;)
                tables[group].Add(Take(group));
    }

    int Take(int group)
    {
        var page = _pools[group].Take(out var evicted);
        if (!evicted) return page;
        _prefixes!.Detach(group, page);
        Evictions++;
        return page;
    }

    void Drop(int group, int page)
    {
        _pools[group].Drop(page);
        Returned++;
    }
}
