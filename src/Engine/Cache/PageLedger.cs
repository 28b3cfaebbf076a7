using System.Collections.Immutable;

namespace Serving.Cache;

/// <summary>
/// Who holds which page, in every group: the pools, the tree of prefixes, and each move of pages between them and the tables of sequences.
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
public sealed class PageLedger
{
    readonly ImmutableArray<PageGroup> _groups;
    readonly PagePool[] _pools;
    readonly PrefixCache? _prefixes;
    readonly int _pageTokens;
    readonly List<int> _path = [];
    readonly int[] _runs;

    /// <summary>Books over pools of these sizes, one a group of the layout.</summary>
    public PageLedger(CacheLayout layout, ImmutableArray<int> pages, bool sharePrefixes) : this(
        layout, pages, sharePrefixes ? new PrefixCache(pages.AsSpan(), layout.PageTokens) : null)
    {
    }

    internal PageLedger(CacheLayout layout, ImmutableArray<int> pages, PrefixCache? prefixes)
    {
        if (pages.Length != layout.Groups.Length)
            throw new ArgumentException($"{pages.Length} pools for {layout.Groups.Length} groups of layers.", nameof(pages));
        (_groups, _pageTokens, _prefixes) = (layout.Groups, layout.PageTokens, prefixes);
        _pools = [.. pages.Select(count => new PagePool(count))];
        _runs = new int[pages.Length];
    }

    /// <summary>The groups of layers.</summary>
    public ImmutableArray<PageGroup> Groups => _groups;

    /// <summary>The pool of each group.</summary>
    public IReadOnlyList<PagePool> Pools => _pools;

    /// <summary>The tree of prefixes; null when nothing is shared.</summary>
    public PrefixCache? Prefixes => _prefixes;

    /// <summary>Kept pages that were handed out again.</summary>
    public long Evictions { get; private set; }

    /// <summary>Grows with every page that a table gave back, so that a caller sees when asking again makes sense.</summary>
    public long Returned { get; private set; }

    /// <summary>
    /// Begins empty tables with what the tree still has of these tokens, but for the last one, whose row must be computed, and takes the
    /// pages of the others. Returns how many tokens are shared, or null when there are too few pages; then no page has changed hands.
    /// </summary>
    public int? TryAdmit(PageTables tables, ReadOnlySpan<int> known, AdmitTerms terms)
    {
        if (tables.Prefix == PrefixCache.None && _prefixes is not null) tables.Prefix = _prefixes.Root(terms.Seed);
        var shared = terms.Reuse ? Match(tables.Prefix, known[..Math.Min(known.Length - 1, terms.Shareable)]) : 0;
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
        return sharedTokens;
    }

    /// <summary>Gives the empty tables of a fork-to-be the page for its copy of the open page, which the admission counted in.</summary>
    public void TakeSpare(PageTables fork, int tokens)
    {
        for (var group = 0; group < _groups.Length && HasOpenPage(tokens); group++)
        {
            fork[group].StartAt(tokens / _pageTokens);
            fork[group].Add(Take(group));
        }
    }

    /// <summary>Gives every group pages for this many tokens, or changes nothing and returns false.</summary>
    public bool TryGrow(PageTables tables, int tokens)
    {
        for (var group = 0; group < _groups.Length; group++)
            if (_groups[group].PagesOver(tokens) - tables[group].Count > _pools[group].Available) return false;
        Grow(tables, tokens, tokens);
        return true;
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
        }
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

        _prefixes?.Check(all.Select(tables => tables.Prefix).Where(node => node != PrefixCache.None));
    }

    /// <summary>Longest prefix, in pages, with all rows that later tokens read; its nodes are left in the path.</summary>
    int Match(int node, ReadOnlySpan<int> tokens)
    {
        _path.Clear();
        _runs.AsSpan().Clear();
        var found = 0;
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

            if (readable) found = depth;
        }

        return found;
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
