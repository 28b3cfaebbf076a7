using System.Collections.Immutable;
using System.Text;
using Serving.Grammar.Expressions;
using Serving.Grammar.Masks;

namespace Serving.Grammar.Automata;

/// <summary>From expressions to rules: every definition that is called becomes one, and so does a repetition too large to be written out.</summary>
/// <param name="trie">The vocabulary: how markers are spelled, and what counts as one token.</param>
/// <param name="library">Rules that were compiled before and that all grammars share.</param>
/// <param name="budget">How much all of this may take.</param>
sealed class RuleCompiler(TokenTrie trie, IReadOnlyDictionary<Definition, Rule> library, GrammarBudget budget)
{
    /// <summary>Larger repetitions than this many times their item's size are counted instead of written out.</summary>
    const int WrittenOut = 96;

    readonly Dictionary<Definition, Rule> _rules = [];
    readonly Queue<(Rule Rule, Expr Body)> _open = [];
    readonly List<State> _states = [];
    readonly List<Rule> _all = [];
    readonly Dictionary<Expr, Rule> _repetitions = new(ReferenceEqualityComparer.Instance);

    /// <summary>The rules of all definitions that were compiled.</summary>
    public IReadOnlyDictionary<Definition, Rule> Rules => _rules;

    /// <summary>States of all rules that were compiled.</summary>
    public int States => _states.Count;

    /// <summary>Compiles an expression and all it calls.</summary>
    public Rule Compile(Expr expression)
    {
        var nullable = new NullableRules(expression, library, budget);
        var root = RuleOf("the whole", expression, nullable.Of(expression));
        while (_open.TryDequeue(out var next))
            Build(next.Rule, next.Body, nullable);
        RuleChecks.Complete(_states, _all, root, trie, budget);
        return root;
    }

    Rule RuleOf(string name, Expr body, bool nullable)
    {
        budget.Rule();
        var rule = new Rule(name) { Nullable = nullable };
        _all.Add(rule);
        _open.Enqueue((rule, body));
        return rule;
    }

    Rule RuleOf(Definition definition, NullableRules nullable)
    {
        if (library.TryGetValue(definition, out var shared))
            return shared;
        if (!_rules.TryGetValue(definition, out var rule))
            _rules[definition] = rule = RuleOf(definition.Name, definition.Body, nullable.Of(definition));
        return rule;
    }

    Rule Repetition(Expr.Repeat repeat, NullableRules nullable)
    {
        if (!_repetitions.TryGetValue(repeat, out var rule))
            _repetitions[repeat] = rule = RuleOf("a repetition", repeat, nullable.Of(repeat));
        return rule;
    }

    void Build(Rule rule, Expr body, NullableRules nullable)
    {
        if (body is Expr.Repeat repeat && IsCounted(repeat))
        {
            var item = RuleOf(rule.Name, repeat.Item, nullable.Of(repeat.Item));
            rule.Start = new Counter(item, repeat.Min, repeat.Max, trie.LongestToken).At(0);
            _states.Add(rule.Start);
            return;
        }
        var net = new RuleNet(budget);
        var start = net.Add();
        var end = Add(net, start, body, nullable, 0);
        var states = new SubsetConstruction(net, end, budget).Run(start);
        rule.Start = states[0];
        _states.AddRange(states);
    }

    int Add(RuleNet net, int from, Expr expression, NullableRules nullable, int depth)
    {
        if (depth > 4 * budget.Limits.Depth)
            throw new GrammarException($"It is nested more than {budget.Limits.Depth} levels deep.");
        switch (expression)
        {
            case Expr.Literal literal:
                return literal.Bytes.Aggregate(from, (at, value) => net.Byte(at, value, value));
            case Expr.MarkerToken marker:
                var bytes = trie.ControlBytes(marker.Spelling) ?? (marker.OrText ? Encoding.UTF8.GetBytes(marker.Spelling) : null);
                return bytes is null ? net.Add() : bytes.Aggregate(from, (at, value) => net.Byte(at, value, value));
            case Expr.ByteRange range:
                return net.Byte(from, range.Low, range.High);
            case Expr.Sequence sequence:
                return sequence.Items.Aggregate(from, (at, item) => Add(net, at, item, nullable, depth + 1));
            case Expr.Call call:
                return net.Call(from, RuleOf(call.Callee, nullable));
            case Expr.Choice choice:
                return Either(net, from, choice, nullable, depth);
            case Expr.Listing listing:
                return List(net, from, listing, nullable, depth);
            case Expr.Repeat repeat when IsCounted(repeat):
                return net.Call(from, Repetition(repeat, nullable));
            case Expr.Graph graph:
                return net.Graph(from, graph);
            default:
                return WriteOut(net, from, (Expr.Repeat)expression, nullable, depth);
        }
    }

    int Either(RuleNet net, int from, Expr.Choice choice, NullableRules nullable, int depth)
    {
        var end = net.Add();
        foreach (var item in choice.Items)
        {
            var begin = net.Add();
            net.Skip(from, begin);
            net.Skip(Add(net, begin, item, nullable, depth + 1), end);
        }
        return end;
    }

    /// <summary>Every item is written once, whatever came before it, so that items which begin alike share their states.</summary>
    int List(RuleNet net, int from, Expr.Listing listing, NullableRules nullable, int depth)
    {
        var end = net.Add();
        int[] begins = [.. listing.Items.Select(_ => net.Add())];
        int[] separated = [.. listing.Items.Select(_ => net.Add())];
        var first = from;
        var lastRequired = listing.Items.Length - 1;
        while (lastRequired >= 0 && !listing.Items[lastRequired].IsRequired)
            lastRequired--;
        for (var i = 0; i < begins.Length; i++)
        {
            net.Skip(first, begins[i]);
            net.Skip(separated[i], begins[i]);
            var after = Add(net, begins[i], listing.Items[i].Item, nullable, depth + 1);
            if (i >= lastRequired)
                net.Skip(after, end);
            if (i + 1 == begins.Length)
                break;
            net.Skip(Add(net, after, listing.Separator, nullable, depth + 1), separated[i + 1]);
            if (listing.Items[i].IsRequired)
                first = net.Add();
            else
                net.Skip(separated[i], separated[i + 1]);
        }
        return end;
    }

    int WriteOut(RuleNet net, int from, Expr.Repeat repeat, NullableRules nullable, int depth)
    {
        for (var i = 0; i < repeat.Min; i++)
            from = Add(net, from, repeat.Item, nullable, depth + 1);
        var end = net.Add();
        if (repeat.Max is { } max)
        {
            for (var i = repeat.Min; i < max; i++)
            {
                net.Skip(from, end);
                from = Add(net, from, repeat.Item, nullable, depth + 1);
            }
            net.Skip(from, end);
            return end;
        }
        var begin = net.Add();
        net.Skip(from, begin);
        net.Skip(begin, end);
        net.Skip(Add(net, begin, repeat.Item, nullable, depth + 1), begin);
        return end;
    }

    bool IsCounted(Expr.Repeat repeat)
    {
        var copies = repeat.Max ?? repeat.Min + 1;
        if (repeat.Min < 0 || copies < repeat.Min || copies > budget.Limits.Repetitions)
            throw new GrammarException($"A repetition of {repeat.Min} to {repeat.Max} times cannot be served; at most {budget.Limits.Repetitions} may.");
        return copies > 3 && (long)copies * Size(repeat.Item, 0) > WrittenOut;
    }

    int Size(Expr expression, int depth)
    {
        budget.Work(1);
        return depth > 4 * budget.Limits.Depth ? WrittenOut : expression switch
        {
            Expr.Literal literal => literal.Bytes.Length,
            Expr.Sequence sequence => Sum(sequence.Items),
            Expr.Choice choice => Sum(choice.Items),
            Expr.Listing listing => Sum([.. listing.Items.Select(item => item.Item)]),
            Expr.Graph graph => Math.Min(WrittenOut, graph.Nodes.Length),
            Expr.Repeat repeat => (int)Math.Min(WrittenOut, (long)Size(repeat.Item, depth + 1) * (repeat.Max ?? repeat.Min + 1)),
            _ => 1,
        };

        int Sum(ImmutableArray<Expr> items)
        {
            var sum = 0;
            for (var i = 0; i < items.Length && sum < WrittenOut; i++)
                sum += Size(items[i], depth + 1);
            return sum;
        }
    }
}
