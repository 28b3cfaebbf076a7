using System.Collections.Immutable;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Automata;

/// <summary>
/// A regular set of texts as a deterministic automaton over bytes, so that sets can be cut and taken from one another (products of automata:
/// Rabin and Scott, 1959). Every node leads to an end, but for the first one of the empty set.
/// </summary>
sealed class RegularSet
{
    /// <summary>What one set may take of a compilation's work: an automaton that is not yet deterministic is large.</summary>
    const int Share = 4;

    readonly ImmutableArray<Expr.Node> _nodes;
    readonly GrammarLimits _limits;

    RegularSet(ImmutableArray<Expr.Node> nodes, GrammarLimits limits) => (_nodes, _limits) = (nodes, limits);

    /// <summary>Whether there is no text in it.</summary>
    public bool IsEmpty => _nodes is [{ Ends: false, Ways.IsEmpty: true }];

    /// <summary>The texts of an expression, whose rules must not call themselves; a <see cref="GrammarException"/> where they do or it gets too large.</summary>
    public static RegularSet Of(Expr expression, GrammarLimits limits)
    {
        var budget = Budget(limits);
        var net = new RuleNet(budget);
        var start = net.Add();
        var states = new SubsetConstruction(net, Add(net, start, expression, budget, 0), budget).Run(start);
        var numbers = states.Select((state, i) => (state, i)).ToDictionary(pair => pair.state, pair => pair.i);
        return Live([.. states.Select(state => new Expr.Node(state.Ends, [.. Enumerable.Range(0, state.Targets.Length).Select(state.Edge).Select(e => (e.Low, e.High, numbers[e.Target]))]))], limits);
    }

    /// <summary>The texts that such an automaton takes.</summary>
    public static RegularSet Of(Expr.Graph graph, GrammarLimits limits) => Live(graph.Nodes, limits);

    /// <summary>The texts of both.</summary>
    public RegularSet And(RegularSet other) => Product(other, (mine, theirs) => mine && theirs, needsOther: true);

    /// <summary>The texts of this that are none of the other's.</summary>
    public RegularSet Except(RegularSet other) => Product(other, (mine, theirs) => mine && !theirs, needsOther: false);

    public bool Contains(ReadOnlySpan<byte> text)
    {
        var at = 0;
        foreach (var value in text)
            if ((at = Next(at, value)) < 0)
                return false;
        return _nodes[at].Ends;
    }

    public Expr ToExpr() => IsEmpty ? Expr.Nothing : new Expr.Graph(_nodes);

    static GrammarBudget Budget(GrammarLimits limits) => new(limits with { Work = limits.Work / Share });

    int Next(int node, byte value)
    {
        foreach (var (low, high, target) in _nodes[node].Ways)
            if (value >= low && value <= high)
                return target;
        return -1;
    }

    /// <summary>Both at once; a place where the other has no way on is -1.</summary>
    RegularSet Product(RegularSet other, Func<bool, bool, bool> ends, bool needsOther)
    {
        var budget = Budget(_limits);
        var numbers = new Dictionary<(int, int), int> { [(0, 0)] = 0 };
        var open = new Queue<(int Mine, int Theirs)>([(0, 0)]);
        var nodes = ImmutableArray.CreateBuilder<Expr.Node>();
        while (open.TryDequeue(out var pair))
        {
            budget.State();
            var theirs = pair.Theirs < 0 ? [] : other._nodes[pair.Theirs].Ways;
            var ways = ImmutableArray.CreateBuilder<(byte, byte, int)>();
            foreach (var (low, high, target) in _nodes[pair.Mine].Ways)
                foreach (var (from, to, place) in Split(low, high, theirs))
                {
                    budget.Work(1);
                    if (place < 0 && needsOther)
                        continue;
                    if (!numbers.TryGetValue((target, place), out var number))
                    {
                        numbers[(target, place)] = number = numbers.Count;
                        open.Enqueue((target, place));
                    }
                    ways.Add((from, to, number));
                }
            nodes.Add(new(ends(_nodes[pair.Mine].Ends, pair.Theirs >= 0 && other._nodes[pair.Theirs].Ends), ways.DrainToImmutable()));
        }
        return Live(nodes.DrainToImmutable(), _limits);
    }

    /// <summary>A range of bytes cut where the ways of another automaton begin and end.</summary>
    static IEnumerable<(byte Low, byte High, int Target)> Split(byte low, byte high, ImmutableArray<(byte Low, byte High, int Target)> ways)
    {
        int at = low;
        foreach (var way in ways)
        {
            if (way.High < at || way.Low > high)
                continue;
            if (way.Low > at)
                yield return ((byte)at, (byte)(way.Low - 1), -1);
            var end = Math.Min(way.High, high);
            yield return ((byte)Math.Max(way.Low, at), end, way.Target);
            at = end + 1;
        }
        if (at <= high)
            yield return ((byte)at, high, -1);
    }

    /// <summary>The nodes from which an end can be reached, in their order, and the first one.</summary>
    static RegularSet Live(ImmutableArray<Expr.Node> nodes, GrammarLimits limits)
    {
        var before = nodes.SelectMany((node, i) => node.Ways.Select(way => (way.Target, From: i))).ToLookup(way => way.Target, way => way.From);
        var live = new HashSet<int>();
        var open = new Stack<int>(Enumerable.Range(0, nodes.Length).Where(i => nodes[i].Ends));
        while (open.TryPop(out var node))
            if (live.Add(node))
                foreach (var from in before[node])
                    open.Push(from);
        if (!live.Contains(0))
            return new([new(false, [])], limits);
        int[] kept = [.. live.Order()];
        return new([.. kept.Select(i => new Expr.Node(nodes[i].Ends,
            [.. nodes[i].Ways.Where(way => live.Contains(way.Target)).Select(way => (way.Low, way.High, Array.BinarySearch(kept, way.Target)))]))], limits);
    }

    static int Add(RuleNet net, int from, Expr expression, GrammarBudget budget, int depth)
    {
        budget.Work(1);
        if (depth > 4 * budget.Limits.Depth)
            throw new GrammarException($"It is nested more than {budget.Limits.Depth} levels deep, or calls itself, where only a regular set can be served.");
        switch (expression)
        {
            case Expr.Literal literal:
                return literal.Bytes.Aggregate(from, (at, value) => net.Byte(at, value, value));
            case Expr.ByteRange range:
                return net.Byte(from, range.Low, range.High);
            case Expr.Sequence sequence:
                return sequence.Items.Aggregate(from, (at, item) => Add(net, at, item, budget, depth + 1));
            case Expr.Choice choice:
                var end = net.Add();
                foreach (var item in choice.Items)
                {
                    var begin = net.Add();
                    net.Skip(from, begin);
                    net.Skip(Add(net, begin, item, budget, depth + 1), end);
                }
                return end;
            case Expr.Repeat repeat:
                return Repeat(net, from, repeat, budget, depth);
            case Expr.Call call:
                return Add(net, from, call.Callee.Body, budget, depth + 1);
            case Expr.Graph graph:
                return net.Graph(from, graph);
            default:
                throw new GrammarException("It holds parts of which no regular set can be made.");
        }
    }

    static int Repeat(RuleNet net, int from, Expr.Repeat repeat, GrammarBudget budget, int depth)
    {
        for (var i = 0; i < repeat.Min; i++)
            from = Add(net, from, repeat.Item, budget, depth + 1);
        var end = net.Add();
        for (var i = repeat.Min; i < repeat.Max; i++)
        {
            net.Skip(from, end);
            from = Add(net, from, repeat.Item, budget, depth + 1);
        }
        if (repeat.Max is not null)
        {
            net.Skip(from, end);
            return end;
        }
        var begin = net.Add();
        net.Skip(from, begin);
        net.Skip(begin, end);
        net.Skip(Add(net, begin, repeat.Item, budget, depth + 1), begin);
        return end;
    }
}
