using System.Numerics;

namespace Serving.Sampling;

/// <summary>Finds where a ranking by descending key may be cut without sorting it: by the weight in each of 256 ranges of keys, then within one.</summary>
static class WeightedCut
{
    const int SmallEnoughToSort = 48;
    const int Bins = 256;

    /// <summary>
    /// The last key of the shortest ranking, best key first, whose weights sum to at least the target (above 0), or 0 when all together do not.
    /// Keys are distinct and above 0; both spans are overwritten. Sums are exact when the weights are (Weighing.DrawGrain) or whole numbers.
    /// </summary>
    public static ulong Find(Span<ulong> keys, Span<double> weights, double target)
    {
        var reached = 0.0;
        while (keys.Length > SmallEnoughToSort)
        {
            // Each round leaves a 256th of the keys' range, so there are at most eight, whatever the keys.
            var count = Narrow(keys, weights, target, ref reached);
            keys = keys[..count];
            weights = weights[..count];
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

    /// <summary>Moves the keys of the range in which the target is reached to the front and returns their number; adds the weight above them.</summary>
    static int Narrow(Span<ulong> keys, Span<double> weights, double target, ref double reached)
    {
        var (least, most) = (ulong.MaxValue, 0UL);
        foreach (var key in keys)
        {
            least = Math.Min(least, key);
            most = Math.Max(most, key);
        }

        var shift = Math.Max(0, 64 - BitOperations.LeadingZeroCount(most - least) - BitOperations.Log2(Bins));
        Span<double> bins = stackalloc double[Bins];
        for (var i = 0; i < keys.Length; i++)
            bins[(int)((keys[i] - least) >> shift)] += weights[i];
        var bin = Bins - 1;
        for (; bin >= 0 && reached + bins[bin] < target; bin--)
            reached += bins[bin];

        var count = 0;
        for (var i = 0; i < keys.Length; i++)
        {
            // Written in either case: a branch would often be mispredicted.
            var (key, weight) = (keys[i], weights[i]);
            keys[count] = key;
            weights[count] = weight;
            count += (int)((key - least) >> shift) == bin ? 1 : 0;
        }

        return count;
    }
}
