using System.Collections.Immutable;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Automata;

/// <summary>Thompson's automaton of one rule: states with empty, byte and call steps.</summary>
sealed class RuleNet(GrammarBudget budget)
{
    readonly List<List<int>> _empty = [];
    readonly List<List<(byte Low, byte High, int Target)>> _bytes = [];
    readonly List<List<(Rule Callee, int Target)>> _calls = [];

    public int Count => _empty.Count;

    public IReadOnlyList<(byte Low, byte High, int Target)> BytesOf(int state) => _bytes[state];

    public IReadOnlyList<(Rule Callee, int Target)> CallsOf(int state) => _calls[state];

    public int Add()
    {
        budget.Work(8);
        _empty.Add([]);
        _bytes.Add([]);
        _calls.Add([]);
        return _empty.Count - 1;
    }

    public void Skip(int from, int to) => _empty[from].Add(to);

    public int Byte(int from, byte low, byte high)
    {
        var to = Add();
        _bytes[from].Add((low, high, to));
        return to;
    }

    public int Call(int from, Rule callee)
    {
        var to = Add();
        _calls[from].Add((callee, to));
        if (callee.Nullable)
            Skip(from, to);
        return to;
    }

    /// <summary>Writes an automaton in; returns where its texts end.</summary>
    public int Graph(int from, Expr.Graph graph)
    {
        var end = Add();
        int[] places = [.. graph.Nodes.Select(_ => Add())];
        Skip(from, places[0]);
        foreach (var (node, place) in graph.Nodes.Zip(places))
        {
            if (node.Ends)
                Skip(place, end);
            foreach (var (low, high, target) in node.Ways)
                _bytes[place].Add((low, high, places[target]));
        }
        return end;
    }

    /// <summary>The states that the given ones reach by empty steps, ascending.</summary>
    public ImmutableArray<int> Closure(IEnumerable<int> states)
    {
        var seen = new HashSet<int>();
        var open = new Stack<int>(states);
        while (open.TryPop(out var state))
        {
            if (!seen.Add(state))
                continue;
            foreach (var next in _empty[state])
                open.Push(next);
        }
        budget.Work(seen.Count);
        return [.. seen.Order()];
    }
}

/// <summary>Sets of states as states: a rule's automaton with one way on for each byte and each called rule.</summary>
sealed class SubsetConstruction(RuleNet net, int end, GrammarBudget budget)
{
    readonly Dictionary<ImmutableArray<int>, State> _states = new(new SameStates());
    readonly Queue<(ImmutableArray<int> Set, State State)> _open = [];
    readonly List<State> _all = [];

    public List<State> Run(int start)
    {
        StateOf([start]);
        while (_open.TryDequeue(out var next))
            next.State.Connect(Edges(next.Set), Calls(next.Set));
        return _all;
    }

    State StateOf(IEnumerable<int> members)
    {
        var set = net.Closure(members);
        if (_states.TryGetValue(set, out var state))
            return state;
        budget.State();
        state = new(set.BinarySearch(end) >= 0);
        _states.Add(set, state);
        _all.Add(state);
        _open.Enqueue((set, state));
        return state;
    }

    RuleCall[] Calls(ImmutableArray<int> set) =>
        [.. set.SelectMany(net.CallsOf).GroupBy(c => c.Callee, c => c.Target).Select(group => new RuleCall(group.Key, StateOf(group)))];

    List<(byte Low, byte High, State Target)> Edges(ImmutableArray<int> set)
    {
        var ranges = set.SelectMany(net.BytesOf).ToList();
        var cuts = ranges.SelectMany(r => new[] { (int)r.Low, r.High + 1 }).Distinct().Order().ToList();
        budget.Work((long)ranges.Count * Math.Min(cuts.Count, 16) + 1);
        var edges = new List<(byte Low, byte High, State Target)>();
        var byLow = ranges.OrderBy(r => r.Low).ToList();
        var active = new List<(byte Low, byte High, int Target)>();
        var next = 0;
        for (var i = 0; i + 1 < cuts.Count; i++)
        {
            active.RemoveAll(r => r.High < cuts[i]);
            for (; next < byLow.Count && byLow[next].Low == cuts[i]; next++)
                active.Add(byLow[next]);
            budget.Work(active.Count + 1);
            if (active.Count == 0)
                continue;
            var target = StateOf(active.Select(r => r.Target));
            if (edges.Count > 0 && edges[^1].High == cuts[i] - 1 && edges[^1].Target == target)
                edges[^1] = (edges[^1].Low, (byte)(cuts[i + 1] - 1), target);
            else
                edges.Add(((byte)cuts[i], (byte)(cuts[i + 1] - 1), target));
        }
        return edges;
    }

    sealed class SameStates : IEqualityComparer<ImmutableArray<int>>
    {
        public bool Equals(ImmutableArray<int> x, ImmutableArray<int> y) => x.AsSpan().SequenceEqual(y.AsSpan());

        public int GetHashCode(ImmutableArray<int> set)
        {
            var hash = new HashCode();
            foreach (var state in set)
                hash.Add(state);
            return hash.ToHashCode();
        }
    }
}
