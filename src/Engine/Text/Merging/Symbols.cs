namespace Serving.Text;

/// <summary>How two neighbours may merge: the place in the order of merging (lower first) and the token that a merge makes.</summary>
interface IMergeRule<TOrder> where TOrder : unmanaged, IComparable<TOrder>
{
    bool TryMerge(in Symbol left, in Symbol right, out TOrder order, out int result);
}

/// <summary>A stretch of a word's bytes that is one token so far; <see cref="Id"/> is -1 where no token spells it.</summary>
record struct Symbol(int Id, int Start, int Length)
{
    public int Previous;
    public int Next;
}

/// <summary>Byte-pair merging: always the first pair in the rule's order, the leftmost among equals. Long words take O(n log n).</summary>
static class Symbols
{
    const int ShortWord = 32;

    record struct Candidate<TOrder>(bool Exists, TOrder Order, int Result) where TOrder : unmanaged;

    readonly record struct Place<TOrder>(TOrder Order, int Left, int Right, int Length) : IComparable<Place<TOrder>>
        where TOrder : unmanaged, IComparable<TOrder>
    {
        public int CompareTo(Place<TOrder> other) =>
            Order.CompareTo(other.Order) is var order and not 0 ? order : Left.CompareTo(other.Left);
    }

    /// <summary>Merges until no pair can; returns how many symbols are left, moved to the front in their order.</summary>
    public static int Merge<TOrder, TRule>(Span<Symbol> symbols, TRule rule)
        where TOrder : unmanaged, IComparable<TOrder> where TRule : struct, IMergeRule<TOrder> =>
        symbols.Length <= ShortWord ? MergeShort<TOrder, TRule>(symbols, rule) : MergeLong<TOrder, TRule>(symbols, rule);

    static int MergeShort<TOrder, TRule>(Span<Symbol> symbols, TRule rule)
        where TOrder : unmanaged, IComparable<TOrder> where TRule : struct, IMergeRule<TOrder>
    {
        Span<Candidate<TOrder>> candidates = stackalloc Candidate<TOrder>[ShortWord];
        for (var i = 0; i + 1 < symbols.Length; i++)
            candidates[i] = Look<TOrder, TRule>(symbols, i, rule);
        var count = symbols.Length;
        while (First(candidates[..Math.Max(0, count - 1)]) is var at and >= 0)
        {
            symbols[at] = symbols[at] with { Id = candidates[at].Result, Length = symbols[at].Length + symbols[at + 1].Length };
            symbols[(at + 2)..count].CopyTo(symbols[(at + 1)..]);
            candidates[(at + 1)..count].CopyTo(candidates[at..]);
            count--;
            if (at > 0)
                candidates[at - 1] = Look<TOrder, TRule>(symbols, at - 1, rule);
            if (at + 1 < count)
                candidates[at] = Look<TOrder, TRule>(symbols, at, rule);
        }
        return count;
    }

    static Candidate<TOrder> Look<TOrder, TRule>(Span<Symbol> symbols, int at, TRule rule)
        where TOrder : unmanaged, IComparable<TOrder> where TRule : struct, IMergeRule<TOrder> =>
        new(rule.TryMerge(symbols[at], symbols[at + 1], out var order, out var result), order, result);

    static int First<TOrder>(ReadOnlySpan<Candidate<TOrder>> candidates) where TOrder : unmanaged, IComparable<TOrder>
    {
        var first = -1;
        for (var i = 0; i < candidates.Length; i++)
            if (candidates[i].Exists && (first < 0 || candidates[i].Order.CompareTo(candidates[first].Order) < 0))
                first = i;
        return first;
    }

    static int MergeLong<TOrder, TRule>(Span<Symbol> symbols, TRule rule)
        where TOrder : unmanaged, IComparable<TOrder> where TRule : struct, IMergeRule<TOrder>
    {
        var queue = new PriorityQueue<int, Place<TOrder>>(symbols.Length);
        for (var i = 0; i < symbols.Length; i++)
            (symbols[i].Previous, symbols[i].Next) = (i - 1, i + 1 < symbols.Length ? i + 1 : -1);
        for (var i = 0; i + 1 < symbols.Length; i++)
            Offer(symbols, i, rule, queue);
        while (queue.TryDequeue(out var result, out var place))
        {
            ref var left = ref symbols[place.Left];
            // A pair is stale once either side has grown or gone.
            if (left.Length == 0 || left.Next != place.Right || left.Length + symbols[place.Right].Length != place.Length)
                continue;
            Join(symbols, place.Left, result);
            Offer(symbols, left.Previous, rule, queue);
            Offer(symbols, place.Left, rule, queue);
        }
        var count = 0;
        for (var i = 0; i >= 0; i = symbols[i].Next)
            symbols[count++] = symbols[i];
        return count;
    }

    static void Join(Span<Symbol> symbols, int at, int result)
    {
        ref var left = ref symbols[at];
        ref var right = ref symbols[left.Next];
        (left.Id, left.Length, left.Next) = (result, left.Length + right.Length, right.Next);
        right.Length = 0;
        if (left.Next >= 0)
            symbols[left.Next].Previous = at;
    }

    static void Offer<TOrder, TRule>(Span<Symbol> symbols, int at, TRule rule, PriorityQueue<int, Place<TOrder>> queue)
        where TOrder : unmanaged, IComparable<TOrder> where TRule : struct, IMergeRule<TOrder>
    {
        if (at < 0 || symbols[at].Next is var next && next < 0)
            return;
        if (rule.TryMerge(symbols[at], symbols[next], out var order, out var result))
            queue.Enqueue(result, new(order, at, next, symbols[at].Length + symbols[next].Length));
    }
}
