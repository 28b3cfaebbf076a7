using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Nodes;

/// <summary>An expression of the syntax tree; evaluating it is counted and its line remembered for errors.</summary>
abstract class Expression(int line)
{
    public int Line { get; } = line;

    public Value Evaluate(Scope scope)
    {
        var rendering = scope.Rendering;
        rendering.Enter();
        rendering.Line = Line;
        var value = Compute(scope);
        rendering.Leave();
        return value;
    }

    protected abstract Value Compute(Scope scope);
}

/// <summary>A constant.</summary>
sealed class Literal(int line, Value value) : Expression(line)
{
    public Value Value { get; } = value;

    protected override Value Compute(Scope scope) => Value;
}

/// <summary>A variable.</summary>
sealed class Name(int line, string identifier) : Expression(line)
{
    public string Identifier { get; } = identifier;

    protected override Value Compute(Scope scope) => scope.Find(Identifier);
}

/// <summary><c>[a, b]</c>.</summary>
sealed class ListLiteral(int line, IReadOnlyList<Expression> items) : Expression(line)
{
    protected override Value Compute(Scope scope) => new ListValue(items.EvaluateAll(scope));
}

/// <summary><c>a, b</c>, with parentheses or without.</summary>
sealed class TupleLiteral(int line, IReadOnlyList<Expression> items) : Expression(line)
{
    public IReadOnlyList<Expression> Items { get; } = items;

    protected override Value Compute(Scope scope) => new TupleValue(Items.EvaluateAll(scope));
}

/// <summary><c>{key: value}</c>.</summary>
sealed class DictLiteral(int line, IReadOnlyList<(Expression Key, Expression Value)> entries) : Expression(line)
{
    protected override Value Compute(Scope scope)
    {
        var dict = new Dict();
        foreach (var (key, value) in entries) dict.Set(key.Evaluate(scope), value.Evaluate(scope));
        return dict;
    }
}

/// <summary><c>target.name</c>.</summary>
sealed class AttributeAccess(int line, Expression target, string name) : Expression(line)
{
    protected override Value Compute(Scope scope) => Access.Attribute(target.Evaluate(scope), name);
}

/// <summary><c>target[key]</c>.</summary>
sealed class ItemAccess(int line, Expression target, Expression key) : Expression(line)
{
    protected override Value Compute(Scope scope) => Access.Item(scope.Rendering, target.Evaluate(scope), key.Evaluate(scope));
}

/// <summary><c>target[from:to:by]</c>; a bound left out is null.</summary>
sealed class SliceAccess(int line, Expression target, (Expression? From, Expression? To, Expression? By) bounds) : Expression(line)
{
    protected override Value Compute(Scope scope) =>
        Access.Slice(scope.Rendering, target.Evaluate(scope), (Bound(bounds.From, scope), Bound(bounds.To, scope), Bound(bounds.By,
            scope)));

    static Value Bound(Expression? bound, Scope scope) => bound?.Evaluate(scope) ?? None.Value;
}

/// <summary><c>a if test else b</c>; without an else, something undefined.</summary>
sealed class Conditional(int line, Expression test, Expression then, Expression? otherwise) : Expression(line)
{
    protected override Value Compute(Scope scope) =>
        test.Evaluate(scope).IsTrue ? then.Evaluate(scope)
        : otherwise?.Evaluate(scope) ?? new Undefined("the inline if-expression evaluated to false and no else section was defined");
}

static class ExpressionLists
{
    public static Value[] EvaluateAll(this IReadOnlyList<Expression> expressions, Scope scope)
    {
        var values = new Value[expressions.Count];
        for (var i = 0; i < values.Length; i++) values[i] = expressions[i].Evaluate(scope);
        return values;
    }
}
