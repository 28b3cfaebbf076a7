namespace Serving.Sampling;

/// <summary>Finds where a ranking by descending key may be cut, by partitioning instead of sorting: linear in the number of keys on average.</summary>
static class WeightedCut
{
    const int SmallEnoughToSort = 32;
    const int MostPartitions = 64;

    /// <summary>
    /// The last key of the shortest ranking, best key first, whose weights sum to at least the target (above 0), or 0 when all together do not.
    /// Keys are distinct and above 0; both spans are reordered. Sums are exact when the weights are (Weighing.DrawGrain) or whole numbers.
    /// </summary>
    public static ulong Find(Span<ulong> keys, Span<double> weights, double target)
    {
        var reached = 0.0;
        for (var round = 0; keys.Length > SmallEnoughToSort && round < MostPartitions; round++)
        {
            var (split, above) = Partition(keys, weights);
            var through = above + weights[split];
            if (reached + above < target && reached + through >= target)
                return keys[split];
            var rest = reached + above >= target ? ..split : (split + 1)..;
            if (rest.Start.Value > split)
                reached += through;
            keys = keys[rest];
            weights = weights[rest];
        }

        keys.Sort(weights);
        for (var i = keys.Length - 1; i >= 0; i--)
        {
            reached += weights[i];
            if (reached >= target)
                return keys[i];
        }

        return 0;
    }

    /// <summary>Moves the keys above a median of three to the front and it behind them; returns its place and the weight before it.</summary>
    static (int Split, double Above) Partition(Span<ulong> keys, Span<double> weights)
    {
        var last = keys.Length - 1;
        var (a, b, c) = (keys[0], keys[last / 2], keys[last]);
        var pivot = Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));
        Swap(keys, weights, pivot == a ? 0 : pivot == b ? last / 2 : last, last);
        var split = 0;
        var above = 0.0;
        for (var i = 0; i < last; i++)
        {
            if (keys[i] < pivot)
                continue;
            above += weights[i];
            Swap(keys, weights, i, split++);
        }

        Swap(keys, weights, split, last);
        return (split, above);
    }

    static void Swap(Span<ulong> keys, Span<double> weights, int i, int j)
    {
        (keys[i], keys[j]) = (keys[j], keys[i]);
        (weights[i], weights[j]) = (weights[j], weights[i]);
    }
}
