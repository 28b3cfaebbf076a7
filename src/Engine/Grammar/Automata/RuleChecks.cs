using Serving.Grammar.Masks;

namespace Serving.Grammar.Automata;

/// <summary>What must hold before a grammar may run: every way comes to an end, no rule begins with itself; and what is known then of each state.</summary>
static class RuleChecks
{
    public static void Complete(List<State> states, IReadOnlyCollection<Rule> rules, Rule root, TokenTrie trie, GrammarBudget budget)
    {
        new ShortestEnds(states, trie, budget).Run(bytewise: true);
        if (root.Start.Tokens >= State.Never)
            throw new GrammarException("No text fits it: every way through it asks for something that is impossible or has no end.");
        foreach (var state in states)
            state.Prune();
        foreach (var state in states)
            state.Forget();
        new ShortestEnds(states, trie, budget).Run(bytewise: false);
        if (root.Start.Tokens >= State.Never)
            throw new GrammarException("This model's vocabulary cannot spell any text that fits it.");
        CheckLeft(rules, budget.Limits.Depth * 2);
        var unknown = states.ToHashSet();
        foreach (var state in states)
            if (unknown.Remove(state))
                FindFirst(state, unknown);
    }

    static void CheckLeft(IEnumerable<Rule> rules, int limit)
    {
        var depths = new Dictionary<Rule, int>();
        var open = new HashSet<Rule>();
        foreach (var rule in rules)
            Depth(rule);

        int Depth(Rule rule)
        {
            if (depths.TryGetValue(rule, out var known))
                return known;
            if (!open.Add(rule))
                throw new GrammarException($"The rule '{rule.Name}' begins with itself, so no first character can be told; put something before it.");
            if (open.Count > limit)
                throw new GrammarException($"The rule '{rule.Name}' stands at the end of {limit} rules that each begin with the next; write some of them out.");
            var deepest = 0;
            foreach (var call in rule.Start.Calls)
                deepest = Math.Max(deepest, Depth(call.Callee) + 1);
            open.Remove(rule);
            return deepest <= limit ? depths[rule] = deepest
                : throw new GrammarException($"The rule '{rule.Name}' begins with a chain of more than {limit} rules; write some of them out.");
        }
    }

    /// <summary>Calls at the beginning of rules form no circle, so each state is asked once.</summary>
    static void FindFirst(State state, HashSet<State> unknown)
    {
        if (state is Counter.Counted)
            return;
        var first = default(ByteSet);
        for (var i = 0; i < state.Targets.Length; i++)
            first.Add(state.Edge(i).Low, state.Edge(i).High);
        foreach (var call in state.Calls)
        {
            var callee = call.Callee.Start;
            while (callee is Counter.Counted counted)
                callee = counted.Body;
            if (unknown.Remove(callee))
                FindFirst(callee, unknown);
            first.Add(callee.First);
        }
        state.SetFirst(first);
    }
}

/// <summary>
/// How far each state is from the end of its rule: Dijkstra's search backwards, where a call costs what its rule and the rest cost
/// (Knuth, "A generalization of Dijkstra's algorithm", 1977).
/// </summary>
sealed class ShortestEnds(List<State> states, TokenTrie trie, GrammarBudget budget)
{
    /// <summary>Places of the vocabulary looked at from one state, so that literals are spelled with long tokens and nothing else is.</summary>
    const int MostPlaces = 128, Narrow = 4;

    readonly Dictionary<State, List<State>> _before = [];
    readonly Dictionary<State, List<(State From, RuleCall Call)>> _calls = [];
    readonly Dictionary<State, List<State>> _counted = [];
    readonly PriorityQueue<State, int> _open = new();
    readonly HashSet<State> _done = [];

    public void Run(bool bytewise)
    {
        foreach (var state in states)
            Enter(state, bytewise);
        while (_open.TryDequeue(out var state, out var cost))
        {
            if (cost != state.Tokens || !_done.Add(state))
                continue;
            budget.Work(4);
            foreach (var before in Of(_before, state))
                Offer(before, cost + 1);
            foreach (var (from, call) in Of(_calls, state))
                Offer(from, Math.Min(State.Never, call.Callee.Start.Tokens + call.Return.Tokens));
            foreach (var counted in Of(_counted, state))
                _open.Enqueue(counted, counted.Tokens);
        }
    }

    void Enter(State state, bool bytewise)
    {
        if (state is Counter.Counted counted)
        {
            Add(_counted, counted.Body, counted);
            if (counted.Ends)
                _open.Enqueue(counted, 0);
            return;
        }
        for (var i = 0; i < state.Targets.Length; i++)
        {
            var (low, high, target) = state.Edge(i);
            if (bytewise || trie.HasSingle(low, high))
                Add(_before, target, state);
        }
        if (!bytewise)
            Spell(state, state, 0, 0, MostPlaces);
        foreach (var call in state.Calls)
        {
            Add(_calls, call.Return, (state, call));
            Add(_calls, call.Callee.Start, (state, call));
            // A shared rule is known from the beginning and never comes out of the queue.
            if (call.Return.Tokens < State.Never && call.Callee.Start.Tokens < State.Never)
                Offer(state, call.Callee.Start.Tokens + call.Return.Tokens);
        }
        if (state.Ends)
            Offer(state, 0);
    }

    int Spell(State from, State at, int node, int depth, int places)
    {
        var width = 0;
        for (var i = 0; i < at.Targets.Length; i++)
            width += at.Edge(i).High - at.Edge(i).Low + 1;
        if (width > Narrow)
            return places;
        for (var i = 0; i < at.Targets.Length; i++)
        {
            var (low, high, target) = at.Edge(i);
            for (int value = low; value <= high && places > 0; value++)
            {
                if (trie.Child(node, (byte)value) is not (var child and > 0))
                    continue;
                budget.Work(1);
                if (depth > 0 && trie.IsToken(child))
                    Add(_before, target, from);
                places = Spell(from, target, child, depth + 1, places - 1);
            }
        }
        return places;
    }

    void Offer(State state, int cost)
    {
        if (cost >= state.Tokens)
            return;
        state.Tokens = cost;
        _open.Enqueue(state, cost);
    }

    static List<T> Of<T>(Dictionary<State, List<T>> map, State state) => map.TryGetValue(state, out var list) ? list : [];

    static void Add<T>(Dictionary<State, List<T>> map, State state, T item)
    {
        if (!map.TryGetValue(state, out var list))
            map[state] = list = [];
        list.Add(item);
    }
}
