using System.Numerics;

namespace Serving.Text;

/// <summary>What two neighbouring tokens merge into, and how early: a hash table from (left, right) to (rank, result).</summary>
sealed class PairTable(int capacity)
{
    static readonly ulong Seed = (ulong)Random.Shared.NextInt64() | 1;

    readonly Entry[] _entries = new Entry[BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, capacity * 2L))];

    /// <summary>A merge; <paramref name="Rank"/> counts from 0, lower ranks merge first.</summary>
    public readonly record struct Merge(int Rank, int Result);

    record struct Entry(ulong Key, Merge Merge);

    /// <summary>False where the pair has a merge already. At most <c>capacity</c> pairs may be added.</summary>
    public bool TryAdd(int left, int right, Merge merge)
    {
        ref var entry = ref Slot(Key(left, right));
        if (entry.Key != 0)
            return false;
        entry = new(Key(left, right), merge);
        return true;
    }

    public bool TryGet(int left, int right, out Merge merge)
    {
        ref var entry = ref Slot(Key(left, right));
        merge = entry.Merge;
        return entry.Key != 0;
    }

    ref Entry Slot(ulong key)
    {
        var mask = (uint)(_entries.Length - 1);
        var hash = key * Seed;
        for (var i = (uint)(hash >> 32) ^ (uint)(hash >> 51); ; i++)
        {
            ref var entry = ref _entries[i & mask];
            if (entry.Key == key || entry.Key == 0)
                return ref entry;
        }
    }

    // Ids are not negative, so the key of a pair is never 0.
    static ulong Key(int left, int right) => ((ulong)(uint)left << 32 | (uint)right) + 1;
}
