using Serving.Text.Templates.Nodes;
using Serving.Text.Templates.Runtime;

namespace Serving.Text.Templates.Values;

/// <summary>A macro as written. The flags say which of the names a macro gets for further arguments its body reads.</summary>
sealed record MacroDefinition(string Name, IReadOnlyList<(string Name, Expression? Default)> Parameters, Block Body)
{
    public bool TakesPositional { get; init; }

    public bool TakesNamed { get; init; }

    public bool TakesCaller { get; init; }
}

/// <summary>A macro bound to the scope it was defined in; calling it gives what its body prints.</summary>
sealed class Macro(MacroDefinition definition, Scope home) : Callable(definition.Name)
{
    public override string TypeName => "Macro";

    public override Value Invoke(Rendering rendering, Arguments arguments)
    {
        var scope = home.Inner();
        var named = new Dict();
        foreach (var (key, value) in arguments.Named) named.Set(key, value);
        BindParameters(scope, arguments.Positional, named);
        if (definition.TakesCaller) scope.Set("caller", Take(named, "caller") ?? new Undefined("No caller defined"));
        else if (named["caller"] is not null)
            throw TemplateException.Runtime($"macro '{Name}' was used with a call block but has no caller()");
        if (definition.TakesNamed) scope.Set("kwargs", named);
        else if (named.Count > 0)
            throw TemplateException.Runtime($"macro '{Name}' takes no argument named '{named.Entries.First().Key.Print(rendering).Text}'");
        if (definition.TakesPositional) scope.Set("varargs", new TupleValue([.. arguments.Positional.Skip(definition.Parameters.Count)]));
        else if (arguments.Positional.Count > definition.Parameters.Count)
            throw TemplateException.Runtime($"macro '{Name}' takes not more than {definition.Parameters.Count} argument(s)");
        return rendering.Capture(() => definition.Body.Execute(scope));
    }

    public override Value? Member(string name) => name switch
    {
        "arguments" => new TupleValue([.. definition.Parameters.Select(parameter => new Str(parameter.Name))]),
        "catch_kwargs" => Bool.Of(definition.TakesNamed),
        "catch_varargs" => Bool.Of(definition.TakesPositional),
        "caller" => Bool.Of(definition.TakesCaller),
        _ => base.Member(name),
    };

    public override void Write(TextBuilder output, bool quoted) => output.Append($"<Macro '{Name}'>");

    void BindParameters(Scope scope, IReadOnlyList<Value> positional, Dict named)
    {
        for (var i = 0; i < definition.Parameters.Count; i++)
        {
            var (parameter, otherwise) = definition.Parameters[i];
            if (i < positional.Count && named[parameter] is not null)
                throw TemplateException.Runtime($"macro '{Name}' got multiple values for argument '{parameter}'");
            scope.Set(parameter, i < positional.Count ? positional[i]
                : Take(named, parameter) ?? otherwise?.Evaluate(scope) ?? new Undefined($"parameter '{parameter}' was not provided"));
        }
    }

    static Value? Take(Dict named, string key)
    {
        var value = named[key];
        named.Remove(key);
        return value;
    }
}
