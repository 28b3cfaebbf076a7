using Serving.Text.Templates.Filtering;
using Serving.Text.Templates.Library;
using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Nodes;

/// <summary>How an argument is given.</summary>
enum ArgumentKind { Positional, Named, Spread, SpreadNamed }

/// <summary>The arguments of a call as written.</summary>
sealed class ArgumentList(IReadOnlyList<(ArgumentKind Kind, string Name, Expression Value)> items)
{
    public static readonly ArgumentList Empty = new([]);

    public Arguments Evaluate(Scope scope)
    {
        if (items.Count == 0) return Arguments.None;
        List<Value> positional = [];
        List<KeyValuePair<string, Value>> named = [];
        foreach (var (kind, name, expression) in items)
        {
            var value = expression.Evaluate(scope);
            switch (kind)
            {
                case ArgumentKind.Positional: positional.Add(value); break;
                case ArgumentKind.Named: named.Add(new(name, value)); break;
                case ArgumentKind.Spread: positional.AddRange(value.Iterate(scope.Rendering)); break;
                default: named.AddRange(Entries(value)); break;
            }
        }
        return new Arguments(positional, named);
    }

    static IEnumerable<KeyValuePair<string, Value>> Entries(Value value) => value is Dict dict
        ? dict.Entries.Select(entry => KeyValuePair.Create(
            entry.Key is Str key ? key.Text : throw TemplateException.Runtime("keywords must be strings"), entry.Value))
        : throw TemplateException.Runtime($"argument after ** must be a mapping, not {value.TypeName}");
}

/// <summary><c>callee(arguments)</c>.</summary>
sealed class CallExpression(int line, Expression callee, ArgumentList arguments) : Expression(line)
{
    protected override Value Compute(Scope scope) => Invoke(scope, caller: null);

    /// <summary>Calls with the block of a <c>call</c> statement as the argument <c>caller</c>.</summary>
    public Value Invoke(Scope scope, Macro? caller)
    {
        var target = callee.Evaluate(scope);
        var given = arguments.Evaluate(scope);
        if (caller is not null) given = given.With("caller", caller);
        scope.Rendering.Line = Line;
        return target switch
        {
            Callable callable => callable.Invoke(scope.Rendering, given),
            Undefined missing => throw missing.Fail(),
            _ => throw TemplateException.Runtime($"'{target.TypeName}' object is not callable"),
        };
    }
}

/// <summary><c>value | name(arguments)</c>.</summary>
sealed class FilterExpression(int line, Expression? value, string name, ArgumentList arguments) : Expression(line)
{
    protected override Value Compute(Scope scope) => Apply(scope, value!.Evaluate(scope));

    public Value Apply(Scope scope, Value input)
    {
        var filter = Filters.Find(name);
        var given = arguments.Evaluate(scope).Before(input);
        scope.Rendering.Line = Line;
        return filter.Invoke(scope.Rendering, given);
    }
}

/// <summary><c>value is name(arguments)</c>.</summary>
sealed class TestExpression(int line, Expression value, string name, ArgumentList arguments) : Expression(line)
{
    protected override Value Compute(Scope scope)
    {
        var test = Tests.Find(name);
        return test.Invoke(scope.Rendering, arguments.Evaluate(scope).Before(value.Evaluate(scope)));
    }
}
