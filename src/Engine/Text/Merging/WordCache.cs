namespace Serving.Text;

/// <summary>Remembers the ids of short words; one entry a slot, the newest stays, so its size is bounded and it needs no lock.</summary>
sealed class WordCache
{
    public const int LongestWord = 32;

    readonly Entry?[] _slots = new Entry?[1 << 14];

    sealed record Entry(string Word, int[] Ids);

    public bool TryGet(ReadOnlySpan<char> word, out ReadOnlySpan<int> ids)
    {
        var entry = Volatile.Read(ref Slot(word));
        var found = entry is not null && word.SequenceEqual(entry.Word);
        ids = found ? entry!.Ids : default;
        return found;
    }

    public void Put(ReadOnlySpan<char> word, ReadOnlySpan<int> ids) =>
        Volatile.Write(ref Slot(word), new Entry(word.ToString(), ids.ToArray()));

    ref Entry? Slot(ReadOnlySpan<char> word) => ref _slots[string.GetHashCode(word) & _slots.Length - 1];
}
