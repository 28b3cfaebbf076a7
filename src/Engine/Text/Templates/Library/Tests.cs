using Serving.Text.Templates.Filtering;
using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>The tests behind <c>is</c>.</summary>
static class Tests
{
    public static readonly Dictionary<string, Function> All = Function.Table(
        Is("boolean", value => value is Bool),
        Is("callable", value => value is Callable or Undefined),
        Is("defined", value => value is not Undefined),
        Is("undefined", value => value is Undefined),
        Is("escaped", _ => false),
        Is("even", value => Remainder(value, 2) == 0),
        Is("odd", value => Remainder(value, 2) == 1),
        new("divisibleby", "value num", call => Bool.Of(!Operators.Modulo(call.Rendering, call[0], call[1]).IsTrue)),
        Is("false", value => value == Bool.False),
        Is("true", value => value == Bool.True),
        Is("float", value => value is Float),
        Is("integer", value => value is Int),
        Is("number", value => value is Int or Float or Bool),
        Is("iterable", value => value.Items is not null),
        Is("mapping", value => value is Dict),
        Is("none", value => value is None),
        Is("sequence", value => value.IsSequence || value is Undefined),
        Is("string", value => value is Str),
        new("lower", "value", call => Bool.Of(LetterCase.IsLower(call.Printed(0).Text))),
        new("upper", "value", call => Bool.Of(LetterCase.IsUpper(call.Printed(0).Text))),
        new("filter", "value", call => Bool.Of(call[0] is Str name && Filters.All.ContainsKey(name.Text))),
        new("test", "value", call => Bool.Of(call[0] is Str name && Exists(name.Text))),
        new("in", "value seq", call => Bool.Of(Comparison.Contains(call.Rendering, call[1], call[0]))),
        new("sameas", "value other", call => Bool.Of(Same(call[0], call[1]))),
        Equality("==", same: true), Equality("eq", same: true), Equality("equalto", same: true),
        Equality("!=", same: false), Equality("ne", same: false),
        Order("<", "<"), Order("lt", "<"), Order("lessthan", "<"), Order("<=", "<="), Order("le", "<="),
        Order(">", ">"), Order("gt", ">"), Order("greaterthan", ">"), Order(">=", ">="), Order("ge", ">="));

    public static Function Find(string name) => All.TryGetValue(name, out var test) ? test
        : throw TemplateException.Runtime(
            $"No test named '{name}' found; the tests are {string.Join(", ", All.Keys.Order(StringComparer.Ordinal))}.");

    static bool Exists(string name) => All.ContainsKey(name);

    static Function Is(string name, Func<Value, bool> holds) => new(name, "value", call => Bool.Of(holds(call[0])));

    static Function Equality(string name, bool same) =>
        new(name, "value other", call => Bool.Of(Comparison.Equal(call.Rendering, call[0], call[1]) == same));

    static Function Order(string name, string symbol) =>
        new(name, "value other", call => Bool.Of(Comparison.Ordered(call.Rendering, call[0], call[1], symbol)));

    static int Remainder(Value value, int divisor) => value.AsInteger() is { } number
        ? (int)(((number % divisor) + divisor) % divisor)
        : throw TemplateException.Runtime($"a number is needed, not '{value.TypeName}'");

    static bool Same(Value left, Value right) => ReferenceEquals(left, right)
        || (left, right) is (Int a, Int b) && a.Number == b.Number
        || (left, right) is (Str s, Str t) && s.Text == t.Text;
}
