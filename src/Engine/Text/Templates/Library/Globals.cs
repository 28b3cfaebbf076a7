using System.Numerics;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Library;

/// <summary>The functions every template sees.</summary>
static class Globals
{
    public static readonly Dictionary<string, Function> All = Function.Table(
        new("range", "start stop? step?", Range),
        new("dict", "mapping? **", Merged),
        new("namespace", "mapping? **", call => new Namespace(Merged(call))),
        new("raise_exception", "message", call => throw new TemplateException(TemplateFault.Raised, call.Printed(0).Text)),
        new("strftime_now", "format", call => new Str(Strftime.Format(call.Rendering.Now, call.Text(0).Text))),
        new("cycler", "*", call => call.Rest.Count > 0 ? new Cycler(call.Rest)
            : throw TemplateException.Runtime("at least one item has to be provided")),
        new("joiner", "sep?", call => new Joiner(call.Optional(0) ?? new Str(", "))),
        new("lipsum", "* **", _ => throw TemplateException.Runtime("lipsum makes random text, which has no place in a prompt")));

    static RangeValue Range(Call call)
    {
        var (first, second) = (Whole(call[0]), call.Optional(1));
        var (start, stop) = second is null ? (0, first) : (first, Whole(second));
        var step = call.Optional(2) is { } given ? Whole(given) : 1;
        if (step.IsZero) throw TemplateException.Runtime("range() arg 3 must not be zero");
        var range = new RangeValue(start, stop, step);
        return range.Count <= call.Rendering.Limits.RangeItems ? range
            : throw TemplateException.Limit($"Range too big: {range.Count} numbers; the limit is {call.Rendering.Limits.RangeItems}.");
    }

    static BigInteger Whole(Value value) => value.AsInteger()
        ?? throw TemplateException.Runtime($"'{value.TypeName}' object cannot be interpreted as an integer");

    /// <summary>A dictionary of a mapping or of pairs, and of the named arguments.</summary>
    static Dict Merged(Call call)
    {
        var dict = new Dict();
        if (call.Optional(0) is Dict source)
            foreach (var (key, value) in source.Entries) dict.Set(key, value);
        else if (call.Optional(0) is { })
            foreach (var item in call.Items(0))
                if (item.Items is [var key, var value]) dict.Set(key, value);
                else throw TemplateException.Runtime("dict() takes a mapping or pairs of key and value");
        foreach (var (key, value) in call.Named) dict.Set(key, value);
        call.Rendering.Step(dict.Count);
        return dict;
    }
}
