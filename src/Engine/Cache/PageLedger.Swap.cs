namespace Serving.Cache;

public sealed partial class PageLedger
{
    /// <summary>Host memory for those that give their pages up; null for none.</summary>
    public SwapSpace? Swap { get; }

    /// <summary>Whether a sequence without pages has its rows in host memory. Where they were lost on the way it is told so once.</summary>
    public bool IsSwapped(PageTables tables)
    {
        if (tables.Swapped?.IsLost == true) Swap!.Drop(tables);
        return tables.Swapped is not null;
    }

    /// <summary>
    /// Gives empty tables pages for tokens whose rows are in host memory, and notes what must be copied; full pages that the tree still has
    /// are shared instead. False when there are too few pages; then no page has changed hands.
    /// </summary>
    /// <param name="tables">The tables.</param>
    /// <param name="known">The tokens.</param>
    /// <param name="computed">How many of them have rows.</param>
    /// <param name="terms">As at the first admission.</param>
    public bool TryReturn(PageTables tables, ReadOnlySpan<int> known, int computed, AdmitTerms terms)
    {
        if (tables.Prefix == PrefixCache.None && _prefixes is not null) tables.Prefix = _prefixes.Root(terms.Seed);
        if (_states is not null && _states.Places.Available < 1 + terms.Forks) return false;
        var swapped = tables.Swapped!;
        var shared = Match(tables.Prefix, known[..Math.Min(computed, terms.Shareable)]).Rows;
        for (var group = 0; group < _groups.Length; group++)
            if (swapped.First[group] > shared) shared = 0;
        var step = Math.Min(known.Length, computed + terms.StepTokens);
        for (var group = 0; group < _groups.Length; group++)
        {
            var revived = 0;
            for (var i = _groups[group].FirstPage(shared * _pageTokens); i < shared; i++)
                if (_pools[group].IsCached(_prefixes!.Page(_path[i], group))) revived++;
            var needed = Reach(group, step, known.Length) - Math.Max(shared, swapped.First[group]) + (HasOpenPage(known.Length) ? terms.Forks : 0);
            if (needed > _pools[group].Available - revived) return false;
        }

        Adopt(tables, shared);
        for (var group = 0; group < _groups.Length && shared == 0; group++) tables[group].StartAt(swapped.First[group]);
        Grow(tables, step, known.Length);
        if (_states is not null) tables.Place = _states.Places.Take(out _);
        Swap!.In(tables, shared);
        return true;
    }
}
