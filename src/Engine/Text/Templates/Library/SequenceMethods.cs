using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>The methods of lists and tuples that read; those that write are refused.</summary>
static class SequenceMethods
{
    static readonly Dictionary<string, Function> Reading = Function.Table(
        new("count", "self value", call => Int.Of(call.Items(0).Count(item => Comparison.Equal(call.Rendering, item, call[1])))),
        new("index", "self value", Index),
        new("copy", "self", call => call[0]));

    public static Value? OfLists(ListValue list, string name) => name switch
    {
        "append" or "clear" or "extend" or "insert" or "pop" or "remove" or "reverse" or "sort" => Undefined.Unsafe(list, name),
        _ => Reading.TryGetValue(name, out var method) ? new BoundMethod(list, method) : null,
    };

    public static Value? OfTuples(TupleValue tuple, string name) =>
        name != "copy" && Reading.TryGetValue(name, out var method) ? new BoundMethod(tuple, method) : null;

    static Int Index(Call call)
    {
        var items = call.Items(0);
        for (var i = 0; i < items.Count; i++)
            if (Comparison.Equal(call.Rendering, items[i], call[1])) return Int.Of(i);
        throw TemplateException.Runtime("the value is not in the list");
    }
}

/// <summary>The methods of dictionaries that read; those that write are refused.</summary>
static class DictMethods
{
    static readonly Dictionary<string, Function> Reading = Function.Table(
        new("get", "self key default?", call => call[0].Lookup(call[1]) ?? call.Optional(2) ?? None.Value),
        new("items", "self", call => View(call, "dict_items", static entry => new TupleValue([entry.Key, entry.Value]))),
        new("keys", "self", call => View(call, "dict_keys", static entry => entry.Key)),
        new("values", "self", call => View(call, "dict_values", static entry => entry.Value)),
        new("copy", "self", call => call[0]));

    public static Value? Of(Dict dict, string name) => name switch
    {
        "clear" or "pop" or "popitem" or "setdefault" or "update" => Undefined.Unsafe(dict, name),
        _ => Reading.TryGetValue(name, out var method) ? new BoundMethod(dict, method) : null,
    };

    static DictView View(Call call, string name, Func<(Value Key, Value Value), Value> part)
    {
        var dict = (Dict)call[0];
        call.Rendering.Step(dict.Count);
        return new DictView(name, [.. dict.Entries.Select(part)]);
    }
}
