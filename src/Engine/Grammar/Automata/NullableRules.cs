using Serving.Grammar.Expressions;

namespace Serving.Grammar.Automata;

/// <summary>Which rules the empty text belongs to: the least answer that all definitions agree on.</summary>
sealed class NullableRules
{
    readonly HashSet<Definition> _nullable = [];
    readonly IReadOnlyDictionary<Definition, Rule> _library;
    readonly GrammarBudget _budget;

    public NullableRules(Expr root, IReadOnlyDictionary<Definition, Rule> library, GrammarBudget budget)
    {
        (_library, _budget) = (library, budget);
        var callers = new Dictionary<Definition, List<Definition>>();
        var all = Reachable(root, callers);
        var open = new Queue<Definition>(all);
        while (open.TryDequeue(out var definition))
        {
            if (_nullable.Contains(definition) || !Of(definition.Body))
                continue;
            _nullable.Add(definition);
            foreach (var caller in callers.GetValueOrDefault(definition, []))
                open.Enqueue(caller);
        }
    }

    public bool Of(Definition definition) =>
        _library.TryGetValue(definition, out var shared) ? shared.Nullable : _nullable.Contains(definition);

    public bool Of(Expr expression)
    {
        _budget.Work(1);
        return expression switch
        {
            Expr.Literal literal => literal.Bytes.IsEmpty,
            Expr.Sequence sequence => sequence.Items.All(Of),
            Expr.Choice choice => choice.Items.Any(Of),
            Expr.Repeat repeat => repeat.Min == 0 || Of(repeat.Item),
            Expr.Listing listing => listing.Items.Any(item => Of(item.Item)),
            Expr.Call call => Of(call.Callee),
            Expr.Graph graph => graph.Nodes[0].Ends,
            _ => false,
        };
    }

    HashSet<Definition> Reachable(Expr root, Dictionary<Definition, List<Definition>> callers)
    {
        var found = new HashSet<Definition>();
        var open = new Stack<(Expr Expression, Definition? Within, int Depth)>([(root, null, 0)]);
        while (open.TryPop(out var next))
        {
            _budget.Work(1);
            // Far from the stack's end for everything that recurses over an expression after this.
            if (next.Depth > 4 * _budget.Limits.Depth)
                throw new GrammarException($"It is nested more than {_budget.Limits.Depth} levels deep.");
            switch (next.Expression)
            {
                case Expr.Sequence sequence:
                    foreach (var item in sequence.Items)
                        open.Push((item, next.Within, next.Depth + 1));
                    break;
                case Expr.Choice choice:
                    foreach (var item in choice.Items)
                        open.Push((item, next.Within, next.Depth + 1));
                    break;
                case Expr.Listing listing:
                    open.Push((listing.Separator, next.Within, next.Depth + 1));
                    foreach (var (item, _) in listing.Items)
                        open.Push((item, next.Within, next.Depth + 1));
                    break;
                case Expr.Repeat repeat:
                    open.Push((repeat.Item, next.Within, next.Depth + 1));
                    break;
                case Expr.Call { Callee: var callee } when !_library.ContainsKey(callee):
                    if (next.Within is { } caller)
                        (callers.TryGetValue(callee, out var list) ? list : callers[callee] = []).Add(caller);
                    if (found.Add(callee))
                        open.Push((callee.Body, callee, 0));
                    break;
            }
        }
        return found;
    }
}
