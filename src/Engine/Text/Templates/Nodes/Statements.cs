using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Nodes;

/// <summary>What follows a statement: the next one, or the end of the loop or of its turn.</summary>
enum Flow { Next, Break, Continue }

/// <summary>A statement of the syntax tree.</summary>
abstract class Statement(int line)
{
    public int Line { get; } = line;

    public Flow Execute(Scope scope)
    {
        var rendering = scope.Rendering;
        rendering.Enter();
        rendering.Line = Line;
        var flow = Run(scope);
        rendering.Leave();
        return flow;
    }

    protected abstract Flow Run(Scope scope);
}

/// <summary>Statements in order.</summary>
sealed class Block(IReadOnlyList<Statement> statements)
{
    public Flow Execute(Scope scope)
    {
        foreach (var statement in statements)
            if (statement.Execute(scope) is not Flow.Next and var flow) return flow;
        return Flow.Next;
    }
}

/// <summary>Text between tags.</summary>
sealed class PlainText(int line, Str text) : Statement(line)
{
    protected override Flow Run(Scope scope)
    {
        scope.Rendering.Output.Append(text);
        return Flow.Next;
    }
}

/// <summary><c>{{ value }}</c>.</summary>
sealed class Print(int line, Expression value) : Statement(line)
{
    protected override Flow Run(Scope scope)
    {
        value.Evaluate(scope).Write(scope.Rendering.Output, quoted: false);
        return Flow.Next;
    }
}

/// <summary><c>if</c>, its <c>elif</c>s and its <c>else</c>; it opens no scope.</summary>
sealed class If(int line, IReadOnlyList<(Expression Test, Block Body)> branches, Block? otherwise) : Statement(line)
{
    protected override Flow Run(Scope scope)
    {
        foreach (var (test, body) in branches)
            if (test.Evaluate(scope).IsTrue) return body.Execute(scope);
        return otherwise?.Execute(scope) ?? Flow.Next;
    }
}

/// <summary><c>break</c> or <c>continue</c>.</summary>
sealed class Jump(int line, Flow flow) : Statement(line)
{
    protected override Flow Run(Scope scope) => flow;
}

/// <summary><c>set target = value</c>.</summary>
sealed class Set(int line, Target target, Expression value) : Statement(line)
{
    protected override Flow Run(Scope scope)
    {
        target.Assign(scope, value.Evaluate(scope));
        return Flow.Next;
    }
}

/// <summary><c>set target</c> … <c>endset</c>, and <c>filter</c> … <c>endfilter</c> where the target is null.</summary>
sealed class Captured(int line, Target? target, IReadOnlyList<FilterExpression> filters, Block body) : Statement(line)
{
    protected override Flow Run(Scope scope)
    {
        Value value = scope.Rendering.Capture(() => body.Execute(scope.Inner()));
        foreach (var filter in filters) value = filter.Apply(scope, value);
        if (target is null) value.Write(scope.Rendering.Output, quoted: false);
        else target.Assign(scope, value);
        return Flow.Next;
    }
}

/// <summary><c>with a = 1</c> … <c>endwith</c>, and <c>generation</c>, which sets nothing.</summary>
sealed class With(int line, IReadOnlyList<(Target Target, Expression Value)> settings, Block body) : Statement(line)
{
    protected override Flow Run(Scope scope)
    {
        var inner = scope.Inner();
        foreach (var (target, value) in settings) target.Assign(inner, value.Evaluate(scope));
        return body.Execute(inner);
    }
}

/// <summary><c>macro name(parameters)</c>: makes the macro visible under its name.</summary>
sealed class Define(int line, MacroDefinition definition) : Statement(line)
{
    protected override Flow Run(Scope scope)
    {
        scope.Set(definition.Name, new Macro(definition, scope));
        return Flow.Next;
    }
}

/// <summary><c>call macro(...)</c>: calls with the block as the macro's <c>caller</c>.</summary>
sealed class CallBlock(int line, CallExpression call, MacroDefinition caller) : Statement(line)
{
    protected override Flow Run(Scope scope)
    {
        call.Invoke(scope, new Macro(caller, scope)).Write(scope.Rendering.Output, quoted: false);
        return Flow.Next;
    }
}
