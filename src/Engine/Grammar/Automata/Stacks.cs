using System.Runtime.InteropServices;

namespace Serving.Grammar.Automata;

/// <summary>The continuations of one grammar: makes each once, and steps from one to the next. For one thread at a time.</summary>
sealed class Stacks
{
    /// <summary>
    /// More places than any sensible grammar is in at once. What goes beyond is left out, which keeps every text valid and only makes some
    /// unreachable.
    /// </summary>
    const int MostPlaces = 256;

    /// <summary>Continuations kept for reuse; then all are let go but those in use.</summary>
    const int MostKept = 1 << 12;

    /// <summary>Levels of two stacks that are merged; below, they stay two.</summary>
    const int MostMerged = 64;

    readonly HashSet<Continuation> _kept = new(new SamePlaces());
    readonly Dictionary<(int, int), Continuation> _unions = [];
    readonly Stack<List<OpenRule>> _spare = [];

    /// <summary>Where nothing is left to come.</summary>
    public Continuation End { get; } = new([], true);

    /// <summary>Where nothing can come.</summary>
    public Continuation Dead { get; } = new([], false);

    /// <summary>What comes when a rule goes on at a state and ends into <paramref name="below"/>.</summary>
    public Continuation Push(State at, Continuation below)
    {
        if (!at.GoesOn)
            return at.Ends ? below : Dead;
        var places = Take();
        places.Add(new(at, below));
        if (at.Ends)
            AddAll(places, below);
        return Keep(places, at.Ends && below.Ends);
    }

    /// <summary>What may come after a byte.</summary>
    public Continuation After(Continuation from, byte value)
    {
        if (from.After(value) is { } known)
            return known;
        var places = Take();
        var ends = false;
        foreach (var (at, below) in from.Places)
            Step(at, below, value, places, ref ends);
        var next = Keep(places, ends);
        from.Remember(value, next);
        return next;
    }

    void Step(State at, Continuation below, byte value, List<OpenRule> places, ref bool ends)
    {
        if (at.Next(value) is { } next)
        {
            if (next.GoesOn)
                Add(places, new(next, below), 0);
            if (next.Ends)
            {
                ends |= below.Ends;
                AddAll(places, below);
            }
        }
        foreach (var (callee, back) in at.Calls)
            if (callee.Start.First.Contains(value))
                Step(callee.Start, Push(back, below), value, places, ref ends);
    }

    void AddAll(List<OpenRule> places, Continuation all)
    {
        foreach (var place in all.Places)
            Add(places, place, 0);
    }

    void Add(List<OpenRule> places, OpenRule place, int level)
    {
        foreach (ref var known in CollectionsMarshal.AsSpan(places))
        {
            if (known.At != place.At || level > MostMerged && known.Below != place.Below)
                continue;
            if (known.Below != place.Below)
                known = new(known.At, Union(known.Below, place.Below, level + 1));
            return;
        }
        if (places.Count < MostPlaces)
            places.Add(place);
    }

    Continuation Union(Continuation a, Continuation b, int level)
    {
        var key = a.Id < b.Id ? (a.Id, b.Id) : (b.Id, a.Id);
        if (_unions.TryGetValue(key, out var known))
            return known;
        if (_unions.Count >= MostKept)
            _unions.Clear();
        var places = Take();
        foreach (var place in a.Places)
            Add(places, place, level);
        foreach (var place in b.Places)
            Add(places, place, level);
        var union = Keep(places, a.Ends || b.Ends);
        return _unions[key] = union;
    }

    List<OpenRule> Take() => _spare.TryPop(out var list) ? list : [];

    Continuation Keep(List<OpenRule> places, bool ends)
    {
        if (places.Count > 1)
            places.Sort(static (a, b) => (a.At.Id, a.Below.Id).CompareTo((b.At.Id, b.Below.Id)));
        var kept = places.Count == 0 ? ends ? End : Dead : Kept(places, ends);
        places.Clear();
        _spare.Push(places);
        return kept;
    }

    Continuation Kept(List<OpenRule> places, bool ends)
    {
        var lookup = _kept.GetAlternateLookup<PlaceList>();
        var key = new PlaceList(CollectionsMarshal.AsSpan(places), ends);
        if (lookup.TryGetValue(key, out var known))
            return known;
        if (_kept.Count >= MostKept)
            Forget();
        var made = new Continuation([.. places], ends);
        _kept.Add(made);
        return made;
    }

    void Forget()
    {
        foreach (var kept in _kept)
            kept.Forget();
        _kept.Clear();
        _unions.Clear();
    }

    readonly ref struct PlaceList(ReadOnlySpan<OpenRule> places, bool ends)
    {
        public ReadOnlySpan<OpenRule> Places { get; } = places;

        public bool Ends { get; } = ends;
    }

    sealed class SamePlaces : IEqualityComparer<Continuation>, IAlternateEqualityComparer<PlaceList, Continuation>
    {
        public bool Equals(Continuation? x, Continuation? y) => ReferenceEquals(x, y) || x is not null && Equals(Of(x), y!);

        public int GetHashCode(Continuation kept) => GetHashCode(Of(kept));

        public bool Equals(PlaceList alternate, Continuation other)
        {
            if (alternate.Ends != other.Ends || alternate.Places.Length != other.Places.Length)
                return false;
            for (var i = 0; i < alternate.Places.Length; i++)
                if (alternate.Places[i].At != other.Places[i].At || alternate.Places[i].Below != other.Places[i].Below)
                    return false;
            return true;
        }

        public int GetHashCode(PlaceList alternate)
        {
            var hash = alternate.Ends ? 17 : 19;
            foreach (var (at, below) in alternate.Places)
                hash = HashCode.Combine(hash, at.Id, below.Id);
            return hash;
        }

        public Continuation Create(PlaceList alternate) => new([.. alternate.Places], alternate.Ends);

        static PlaceList Of(Continuation kept) => new(kept.Places, kept.Ends);
    }
}
