using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Nodes;

/// <summary>An arithmetic operator between two expressions.</summary>
sealed class Binary(int line, Expression left, BinaryOperator apply, Expression right) : Expression(line)
{
    protected override Value Compute(Scope scope) => apply(scope.Rendering, left.Evaluate(scope), right.Evaluate(scope));
}

/// <summary>A sign or <c>not</c> before an expression.</summary>
sealed class Unary(int line, Func<Value, Value> apply, Expression operand) : Expression(line)
{
    protected override Value Compute(Scope scope) => apply(operand.Evaluate(scope));
}

/// <summary><c>a and b</c>: the first false operand, or the last.</summary>
sealed class And(int line, Expression left, Expression right) : Expression(line)
{
    protected override Value Compute(Scope scope) => left.Evaluate(scope) is { IsTrue: false } stops ? stops : right.Evaluate(scope);
}

/// <summary><c>a or b</c>: the first true operand, or the last.</summary>
sealed class Or(int line, Expression left, Expression right) : Expression(line)
{
    protected override Value Compute(Scope scope) => left.Evaluate(scope) is { IsTrue: true } stops ? stops : right.Evaluate(scope);
}

/// <summary><c>a ~ b ~ c</c>: the printed forms, joined.</summary>
sealed class Concatenation(int line, IReadOnlyList<Expression> parts) : Expression(line)
{
    protected override Value Compute(Scope scope)
    {
        var output = new TextBuilder(scope.Rendering);
        foreach (var part in parts) part.Evaluate(scope).Write(output, quoted: false);
        return output.ToStr();
    }
}

/// <summary><c>a &lt; b &lt;= c</c>: true where each neighbouring pair compares so.</summary>
sealed class Comparisons(int line, Expression first, IReadOnlyList<(string Operator, Expression Operand)> others) : Expression(line)
{
    protected override Value Compute(Scope scope)
    {
        var left = first.Evaluate(scope);
        foreach (var (symbol, operand) in others)
        {
            var right = operand.Evaluate(scope);
            if (!Holds(scope.Rendering, left, symbol, right)) return Bool.False;
            left = right;
        }
        return Bool.True;
    }

    static bool Holds(Rendering rendering, Value left, string symbol, Value right) => symbol switch
    {
        "==" => Comparison.Equal(rendering, left, right),
        "!=" => !Comparison.Equal(rendering, left, right),
        "in" => Comparison.Contains(rendering, right, left),
        "not in" => !Comparison.Contains(rendering, right, left),
        _ => Comparison.Ordered(rendering, left, right, symbol),
    };
}
