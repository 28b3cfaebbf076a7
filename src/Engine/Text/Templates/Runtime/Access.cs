using System.Numerics;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Runtime;

/// <summary>Reading parts of values: attributes, items, slices, and what a loop visits.</summary>
static class Access
{
    /// <summary><c>value.name</c>: Python's attribute first, then the item of that name.</summary>
    public static Value Attribute(Value value, string name) =>
        Member(value, name) ?? value.Lookup(new Str(name)) ?? Undefined.Member(value, name);

    /// <summary><c>value[key]</c>: the item first, then, for text, Python's attribute of that name.</summary>
    public static Value Item(Rendering rendering, Value value, Value key)
    {
        if (value is Str text) rendering.Step(text.Text.Length >> 6);
        return value.Lookup(key) ?? (key is Str name ? Member(value, name.Text) : null) ?? Undefined.Item(value, key);
    }

    /// <summary>The items of a loop over the value, each counted as a step.</summary>
    public static IReadOnlyList<Value> Iterate(this Value value, Rendering rendering)
    {
        rendering.Step(value.Length ?? 0);
        return value.Items ?? throw TemplateException.Runtime($"'{value.TypeName}' object is not iterable");
    }

    public static Value Slice(Rendering rendering, Value value, (Value From, Value To, Value By) bounds)
    {
        if (value is Undefined missing) throw missing.Fail();
        if (value is not (Str or ListValue or TupleValue or RangeValue))
            throw TemplateException.Runtime($"'{value.TypeName}' object cannot be sliced");
        var (start, count, step) = Bounds(value.Length!.Value, bounds);
        rendering.Step(count);
        if (value is Str text) return Slice(rendering, text, (start, count, step));
        var items = value.Items!;
        var taken = new Value[count];
        for (var i = 0; i < count; i++) taken[i] = items[start + i * step];
        return value is TupleValue ? new TupleValue(taken) : new ListValue(taken);
    }

    static Str Slice(Rendering rendering, Str text, (int Start, int Count, int Step) part)
    {
        if (part.Count == 0) return Str.Empty;
        if (part.Step == 1)
        {
            var from = text.UnitAt(part.Start);
            var length = text.UnitAt(part.Start + part.Count) - from;
            rendering.Charge(length);
            return text.Slice(from, length);
        }
        var output = new TextBuilder(rendering);
        var points = text.Items;
        for (var i = 0; i < part.Count; i++) output.Append((Str)points[part.Start + i * part.Step]);
        return output.ToStr();
    }

    /// <summary>Python's rules for slice bounds: negative ones count from the end, all are clamped.</summary>
    static (int Start, int Count, int Step) Bounds(int length, (Value From, Value To, Value By) bounds)
    {
        var step = (int)BigInteger.Clamp(Bound(bounds.By) ?? 1, -int.MaxValue, int.MaxValue);
        if (step == 0) throw TemplateException.Runtime("slice step cannot be zero");
        var (low, high) = step > 0 ? (0, length) : (-1, length - 1);
        var start = Clamped(bounds.From) ?? (step > 0 ? low : high);
        var stop = Clamped(bounds.To) ?? (step > 0 ? high : low);
        long span = step > 0 ? (long)stop - start : (long)start - stop;
        return (start, span <= 0 ? 0 : (int)((span - 1) / Math.Abs((long)step) + 1), step);

        int? Clamped(Value bound) => Bound(bound) is { } at ? (int)BigInteger.Clamp(at < 0 ? at + length : at, low, high) : null;
    }

    static BigInteger? Bound(Value value) => value is None ? null
        : value.AsInteger() ?? throw TemplateException.Runtime($"slice indices must be integers or None, not '{value.TypeName}'");

    /// <summary>The attribute that Python's type has; null where it has none, undefined where the sandbox refuses it.</summary>
    public static Value? Member(Value value, string name) => value switch
    {
        Undefined => null,
        _ when name.StartsWith("__", StringComparison.Ordinal) && name.EndsWith("__", StringComparison.Ordinal) =>
            Undefined.Unsafe(value, name),
        _ => value.Member(name),
    };
}
