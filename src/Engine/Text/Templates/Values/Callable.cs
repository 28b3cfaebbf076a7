using Serving.Text.Templates.Runtime;

namespace Serving.Text.Templates.Values;

/// <summary>The arguments of a call, evaluated.</summary>
sealed record Arguments(IReadOnlyList<Value> Positional, IReadOnlyList<KeyValuePair<string, Value>> Named)
{
    public static readonly Arguments None = new([], []);

    public Arguments Before(Value first) => new([first, .. Positional], Named);

    public Arguments With(string name, Value value) => new(Positional, [.. Named, KeyValuePair.Create(name, value)]);
}

/// <summary>A value that can be called.</summary>
abstract class Callable(string name) : Value
{
    public string Name { get; } = name;

    public override string TypeName => "function";

    public abstract Value Invoke(Rendering rendering, Arguments arguments);

    public override Value? Member(string name) => name == "name" ? new Str(Name) : null;

    public override void Write(TextBuilder output, bool quoted) => output.Append($"<function {Name}>");
}

/// <summary>A built-in filter, test, method or global: a name, its parameters and its code.</summary>
/// <param name="name">The name templates call it by.</param>
/// <param name="parameters">Parameter names between spaces; <c>?</c> marks optional ones, <c>*</c> and <c>**</c> allow any further
/// ones.</param>
/// <param name="body">Computes the result from bound arguments.</param>
sealed class Function(string name, string parameters, Func<Call, Value> body) : Callable(name)
{
    readonly string[] _names = [.. Words(parameters).Where(word => word[0] != '*').Select(word => word.TrimEnd('?'))];
    readonly int _required = Words(parameters).Count(word => word[0] != '*' && word[^1] != '?');
    readonly bool _anyPositional = Words(parameters).Contains("*");
    readonly bool _anyNamed = Words(parameters).Contains("**");

    public override Value Invoke(Rendering rendering, Arguments arguments)
    {
        if (arguments.Positional is [Str text, ..]) rendering.Step(text.Text.Length >> 5);
        var bound = new Value?[_names.Length];
        var given = Math.Min(arguments.Positional.Count, bound.Length);
        for (var i = 0; i < given; i++) bound[i] = arguments.Positional[i];
        if (arguments.Positional.Count > bound.Length && !_anyPositional)
            throw TemplateException.Runtime($"{Name} takes at most {bound.Length} arguments but {arguments.Positional.Count} were given.");
        var others = BindNamed(arguments.Named, bound);
        for (var i = 0; i < _required; i++)
            if (bound[i] is null) throw TemplateException.Runtime($"{Name} needs its argument '{_names[i]}'.");
        return body(new Call(rendering, Name, bound) { Rest = Rest(arguments.Positional, bound.Length), Named = others });
    }

    /// <summary>Puts named arguments in their places and gives those that have none.</summary>
    List<KeyValuePair<string, Value>> BindNamed(IReadOnlyList<KeyValuePair<string, Value>> named, Value?[] bound)
    {
        if (named.Count == 0) return [];
        List<KeyValuePair<string, Value>> others = [];
        foreach (var (key, value) in named)
        {
            var at = Array.IndexOf(_names, key);
            if (at >= 0 && bound[at] is null) bound[at] = value;
            else if (at < 0 && _anyNamed) others.Add(KeyValuePair.Create(key, value));
            else throw TemplateException.Runtime($"{Name} got an unexpected or repeated argument '{key}'.");
        }
        return others;
    }

    static IReadOnlyList<Value> Rest(IReadOnlyList<Value> positional, int bound) =>
        positional.Count <= bound ? [] : [.. positional.Skip(bound)];

    static string[] Words(string parameters) => parameters.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    public static Dictionary<string, Function> Table(params ReadOnlySpan<Function> functions)
    {
        var table = new Dictionary<string, Function>(StringComparer.Ordinal);
        foreach (var function in functions) table.Add(function.Name, function);
        return table;
    }
}

/// <summary>A method together with the value it was read from.</summary>
sealed class BoundMethod(Value self, Function method) : Callable(method.Name)
{
    public override Value Invoke(Rendering rendering, Arguments arguments) => method.Invoke(rendering, arguments.Before(self));
}

/// <summary>Bound arguments of a built-in, read by position as the types the built-in wants.</summary>
sealed class Call(Rendering rendering, string name, Value?[] bound)
{
    public Rendering Rendering { get; } = rendering;

    public IReadOnlyList<Value> Rest { get; init; } = [];

    public IReadOnlyList<KeyValuePair<string, Value>> Named { get; init; } = [];

    public Value this[int index] => bound[index]!;

    public Value? Optional(int index) => bound[index];

    public bool Has(int index) => bound[index] is not (null or None);

    public bool Flag(int index, bool otherwise = false) => bound[index]?.IsTrue ?? otherwise;

    public Str Text(int index, string otherwise = "") => bound[index] switch
    {
        null => new Str(otherwise),
        Str text => text,
        Undefined missing => throw missing.Fail(),
        var value => throw TemplateException.Runtime($"{name} needs text as argument {index + 1}, not '{value.TypeName}'."),
    };

    /// <summary>The argument as printed text: what Jinja's text filters do with a value that is none.</summary>
    public Str Printed(int index) => this[index].Print(Rendering);

    public int Number(int index, int otherwise = 0)
    {
        if (bound[index] is not { } value) return otherwise;
        var number = value.AsInteger()
            ?? throw TemplateException.Runtime($"{name} needs an integer as argument {index + 1}, not '{value.TypeName}'.");
        return (int)System.Numerics.BigInteger.Clamp(number, int.MinValue, int.MaxValue);
    }

    public IReadOnlyList<Value> Items(int index) => this[index].Iterate(Rendering);
}
