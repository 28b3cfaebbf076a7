using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Nodes;

/// <summary><c>for target in items if test recursive</c>; each turn has a scope of its own.</summary>
sealed class For(int line, Target target, Expression items, Block body) : Statement(line)
{
    public Expression? Test { get; init; }

    public Block? Otherwise { get; init; }

    public bool Recursive { get; init; }

    protected override Flow Run(Scope scope)
    {
        Loop(scope, items.Evaluate(scope), depth: 0);
        return Flow.Next;
    }

    /// <summary>Runs the loop over values; a recursive loop calls it again from inside its body.</summary>
    public void Loop(Scope scope, Value over, int depth)
    {
        var values = over.Iterate(scope.Rendering);
        if (Test is not null) values = [.. values.Where(value => Passes(scope, value))];
        if (values.Count == 0)
        {
            Otherwise?.Execute(scope.Inner());
            return;
        }
        var loop = new LoopState(this, scope, values, depth);
        for (; loop.Index < values.Count; loop.Index++)
        {
            var turn = scope.Inner();
            target.Assign(turn, values[loop.Index]);
            turn.Set("loop", loop);
            if (body.Execute(turn) == Flow.Break) break;
        }
    }

    public Str Recurse(Scope scope, Value over, int depth) => Recursive
        ? scope.Rendering.Capture(() => Loop(scope, over, depth))
        : throw TemplateException.Runtime("only a loop marked 'recursive' can be called");

    bool Passes(Scope scope, Value value)
    {
        var turn = scope.Inner();
        target.Assign(turn, value);
        return Test!.Evaluate(turn).IsTrue;
    }
}
