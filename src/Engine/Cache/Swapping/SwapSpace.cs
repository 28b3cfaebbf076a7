using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Serving.Cache;

/// <summary>What a sequence without pages has in host memory: the pages of each group, and the place of its states.</summary>
sealed class SwappedPages(int groups)
{
    /// <summary>The pages of each group, from entry <see cref="First"/> of the page table on.</summary>
    public List<int>[] Pages { get; } = [.. Enumerable.Range(0, groups).Select(_ => new List<int>())];

    /// <summary>The first entry of each group's table that was kept: earlier ones no later token reads.</summary>
    public int[] First { get; } = new int[groups];

    /// <summary>Where its states lie; none for a model without.</summary>
    public int Place { get; set; } = StatePool.None;

    /// <summary>True when the copy was never made, because the step that was to make it failed.</summary>
    public bool IsLost { get; set; }
}

/// <summary>
/// The books of host memory for the pages of sequences that had to give theirs up, and the copies that are still to be made. Pages go out
/// before anything of a step is written and come back before it is computed; the order of the copies is the order of the books.
/// </summary>
public sealed class SwapSpace
{
    readonly ImmutableArray<PageGroup> _groups;
    readonly long _placeBytes;
    readonly PagePool[] _pools;
    readonly PagePool? _places;
    readonly (List<int> From, List<int> To)[] _out, _in;
    readonly List<SwappedPages> _leaving = [];

    /// <summary>Empty space of a size, for the groups and states of a layout.</summary>
    public SwapSpace(CacheLayout layout, CacheSize size)
    {
        (_groups, _placeBytes) = (layout.Groups, layout.States.PlaceBytes);
        _pools = [.. size.Pages.Select(pages => new PagePool(pages))];
        if (_placeBytes > 0) _places = new(size.Places);
        // Behind the groups, the states.
        _out = [.. Enumerable.Range(0, _groups.Length + 1).Select(_ => (new List<int>(), new List<int>()))];
        _in = [.. Enumerable.Range(0, _groups.Length + 1).Select(_ => (new List<int>(), new List<int>()))];
    }

    /// <summary>Bytes that went to the host so far.</summary>
    public long BytesOut { get; private set; }

    /// <summary>Bytes that came back so far.</summary>
    public long BytesIn { get; private set; }

    /// <summary>Bytes that sequences hold.</summary>
    public long BytesHeld => _groups.Zip(_pools, (group, pool) => group.PageBytes * pool.Held).Sum() + _placeBytes * (_places?.Held ?? 0);

    /// <summary>Bytes that a sequence's first <paramref name="tokens"/> would take.</summary>
    public long BytesOf(PageTables tables, int tokens)
    {
        var bytes = _placeBytes;
        for (var group = 0; group < _groups.Length; group++) bytes += _groups[group].PageBytes * Math.Max(0, Pages(group, tables, tokens).Length);
        return bytes;
    }

    /// <summary>Notes that a sequence's first tokens go to the host, before its pages are given to others; false, and nothing done, where there is no room.</summary>
    public bool TryOut(PageTables tables, int tokens)
    {
        if (_places is { Available: 0 }) return false;
        for (var group = 0; group < _groups.Length; group++)
            if (Pages(group, tables, tokens).Length > _pools[group].Available) return false;
        var swapped = new SwappedPages(_groups.Length);
        for (var group = 0; group < _groups.Length; group++)
        {
            var pages = Pages(group, tables, tokens);
            swapped.First[group] = FirstOf(group, tables, tokens);
            foreach (var page in pages)
            {
                swapped.Pages[group].Add(_pools[group].Take(out _));
                Add(_out[group], page, swapped.Pages[group][^1]);
            }
        }

        if (_places is not null) Add(_out[^1], tables.Place, swapped.Place = _places.Take(out _));
        _leaving.Add(swapped);
        BytesOut += BytesOf(tables, tokens);
        tables.Swapped = swapped;
        return true;
    }

    /// <summary>Notes that what a sequence has here comes back into the pages of its tables, but for the first <paramref name="shared"/>, and forgets it.</summary>
    internal void In(PageTables tables, int shared)
    {
        var swapped = tables.Swapped!;
        for (var group = 0; group < _groups.Length; group++)
            for (var i = Math.Max(0, shared - swapped.First[group]); i < swapped.Pages[group].Count; i++)
            {
                Add(_in[group], swapped.Pages[group][i], tables[group].Entries[swapped.First[group] + i]);
                BytesIn += _groups[group].PageBytes;
            }

        if (_places is not null)
        {
            Add(_in[^1], swapped.Place, tables.Place);
            BytesIn += _placeBytes;
        }

        Drop(tables);
    }

    /// <summary>Gives back what a sequence has here.</summary>
    internal void Drop(PageTables tables)
    {
        if (tables.Swapped is not { } swapped) return;
        for (var group = 0; group < _groups.Length; group++)
            foreach (var page in swapped.Pages[group]) _pools[group].Drop(page);
        if (swapped.Place != StatePool.None) _places!.Drop(swapped.Place);
        tables.Swapped = null;
    }

    /// <summary>Hands out the pages that go to the host, each group's and then the states, and forgets them.</summary>
    public void FlushOut(CopyGroup copy)
    {
        Flush(_out, copy);
        _leaving.Clear();
    }

    /// <summary>Hands out the pages that come back, each group's and then the states, and forgets them.</summary>
    public void FlushIn(CopyGroup copy) => Flush(_in, copy);

    /// <summary>Forgets the copies that are left to make: what was to go to the host is lost.</summary>
    public void Clear()
    {
        foreach (var swapped in _leaving) swapped.IsLost = true;
        FlushOut(static (_, _, _) => { });
        FlushIn(static (_, _, _) => { });
    }

    /// <summary>Recounts the books against the tables of all sequences; throws InvalidOperationException when they do not agree.</summary>
    public void Check(IReadOnlyCollection<PageTables> all)
    {
        var held = all.Select(tables => tables.Swapped).OfType<SwappedPages>().ToArray();
        for (var group = 0; group < _groups.Length; group++) Check($"group {group}", _pools[group], held.SelectMany(swapped => swapped.Pages[group]));
        if (_places is not null) Check("the states", _places, held.Select(swapped => swapped.Place));

        static void Check(string what, PagePool pool, IEnumerable<int> pages)
        {
            pool.Check();
            var counted = pages.ToArray();
            if (counted.Length != pool.Held || counted.Distinct().Count() != counted.Length)
                throw new InvalidOperationException($"{counted.Length} swapped pages of {what} are in tables; their pool counts {pool.Held}.");
        }
    }

    int FirstOf(int group, PageTables tables, int tokens) => Math.Max(tables[group].First, _groups[group].FirstPage(tokens));

    // The pages that hold rows of the first tokens which a later one reads.
    ReadOnlySpan<int> Pages(int group, PageTables tables, int tokens)
    {
        var (first, end) = (FirstOf(group, tables, tokens), _groups[group].PagesOver(tokens));
        return first < end ? tables[group].Entries[first..end] : [];
    }

    static void Add((List<int> From, List<int> To) copies, int from, int to)
    {
        copies.From.Add(from);
        copies.To.Add(to);
    }

    static void Flush((List<int> From, List<int> To)[] copies, CopyGroup copy)
    {
        for (var group = 0; group < copies.Length; group++)
        {
            var (from, to) = copies[group];
            if (from.Count > 0) copy(group, CollectionsMarshal.AsSpan(from), CollectionsMarshal.AsSpan(to));
            from.Clear();
            to.Clear();
        }
    }
}

/// <summary>Copies pages of a group, or states where the number is one past the last group: from[i] onto to[i], in order.</summary>
public delegate void CopyGroup(int group, ReadOnlySpan<int> from, ReadOnlySpan<int> to);
