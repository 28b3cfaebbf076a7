using System.Numerics;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Runtime;

/// <summary>Equality, order and membership as Python's; where text came from never matters.</summary>
static class Comparison
{
    public static bool Equal(Rendering rendering, Value left, Value right)
    {
        rendering.Step();
        return (left, right) switch
        {
            (Str a, Str b) => a.Text == b.Text,
            (ListValue a, ListValue b) => SameItems(rendering, a.Items, b.Items),
            (TupleValue a, TupleValue b) => SameItems(rendering, a.Items, b.Items),
            (RangeValue a, RangeValue b) => SameItems(rendering, a, b),
            (Dict a, Dict b) => SameEntries(rendering, a, b),
            (Undefined, Undefined) => true,
            _ when IsNumber(left) && IsNumber(right) => OrderNumbers(left, right) == 0,
            _ => ReferenceEquals(left, right),
        };
    }

    /// <summary>Negative, zero or positive; <paramref name="symbol"/> is the operator that an error names.</summary>
    public static int Order(Rendering rendering, Value left, Value right, string symbol = "<")
    {
        rendering.Step();
        return (left, right) switch
        {
            (Undefined missing, _) => throw missing.Fail(),
            (_, Undefined missing) => throw missing.Fail(),
            (Str a, Str b) => OrderText(a.Text, b.Text),
            (ListValue a, ListValue b) => OrderItems(rendering, a.Items, b.Items, symbol),
            (TupleValue a, TupleValue b) => OrderItems(rendering, a.Items, b.Items, symbol),
            _ when IsNumber(left) && IsNumber(right) => OrderNumbers(left, right) ?? 0,
            _ => throw TemplateException.Runtime(
                $"'{symbol}' not supported between instances of '{left.TypeName}' and '{right.TypeName}'"),
        };
    }

    /// <summary>The order of <c>&lt;</c>, <c>&lt;=</c>, <c>&gt;</c> and <c>&gt;=</c>; not-a-number is in no order with anything.</summary>
    public static bool Ordered(Rendering rendering, Value left, Value right, string symbol)
    {
        var order = Order(rendering, left, right, symbol);
        if (left is Float { Number: double.NaN } || right is Float { Number: double.NaN }) return false;
        return symbol switch { "<" => order < 0, "<=" => order <= 0, ">" => order > 0, _ => order >= 0 };
    }

    public static bool Contains(Rendering rendering, Value container, Value item)
    {
        if (container is Dict dict) return dict.Lookup(item) is not null;
        if (container is Str text)
        {
            if (item is not Str part)
                throw TemplateException.Runtime($"'in <string>' requires string as left operand, not {item.TypeName}");
            rendering.ChargeSearch(text.Text.Length, part.Text.Length);
            return text.Text.Contains(part.Text, StringComparison.Ordinal);
        }
        var items = container.Items ?? throw TemplateException.Runtime($"argument of type '{container.TypeName}' is not iterable");
        foreach (var candidate in items)
            if (Equal(rendering, candidate, item)) return true;
        return false;
    }

    /// <summary>Sorts without disturbing equal items; failures of the order come through unwrapped.</summary>
    public static List<T> Sort<T>(IReadOnlyList<T> items, Func<T, T, int> order)
    {
        if (items.Count < 2) return [.. items];
        var middle = items.Count / 2;
        var (left, right) = (Sort([.. items.Take(middle)], order), Sort([.. items.Skip(middle)], order));
        var merged = new List<T>(items.Count);
        int i = 0, j = 0;
        while (i < left.Count && j < right.Count) merged.Add(order(right[j], left[i]) < 0 ? right[j++] : left[i++]);
        merged.AddRange(left.Skip(i));
        merged.AddRange(right.Skip(j));
        return merged;
    }

    static bool IsNumber(Value value) => value is Int or Float or Bool;

    /// <summary>Exact also between an integer and a double; null where one is not a number.</summary>
    static int? OrderNumbers(Value left, Value right) => (left, right) switch
    {
        (Float { Number: double.NaN }, _) or (_, Float { Number: double.NaN }) => null,
        (Float a, Float b) => a.Number.CompareTo(b.Number),
        (Float a, _) => OrderMixed(a.Number, right.AsInteger()!.Value),
        (_, Float b) => -OrderMixed(b.Number, left.AsInteger()!.Value),
        _ => left.AsInteger()!.Value.CompareTo(right.AsInteger()!.Value),
    };

    static int OrderMixed(double real, BigInteger whole)
    {
        if (double.IsInfinity(real)) return real > 0 ? 1 : -1;
        var floor = Math.Floor(real);
        return new BigInteger(floor).CompareTo(whole) is not 0 and var order ? order : real > floor ? 1 : 0;
    }

    /// <summary>Order by code points, which differs from UTF-16 order above U+D7FF.</summary>
    static int OrderText(string left, string right)
    {
        var at = left.AsSpan().CommonPrefixLength(right);
        if (at == left.Length || at == right.Length) return left.Length.CompareTo(right.Length);
        var (a, b) = (left[at], right[at]);
        return char.IsSurrogate(a) == char.IsSurrogate(b) ? a.CompareTo(b) : char.IsSurrogate(a) ? 1 : -1;
    }

    static bool SameItems(Rendering rendering, IReadOnlyList<Value> left, IReadOnlyList<Value> right)
    {
        if (left.Count != right.Count) return false;
        rendering.Enter();
        for (var i = 0; i < left.Count; i++)
            if (!Equal(rendering, left[i], right[i]))
            {
                rendering.Leave();
                return false;
            }
        rendering.Leave();
        return true;
    }

    static bool SameEntries(Rendering rendering, Dict left, Dict right)
    {
        if (left.Count != right.Count) return false;
        rendering.Enter();
        var same = left.Entries.All(entry => right.Lookup(entry.Key) is { } other && Equal(rendering, entry.Value, other));
        rendering.Leave();
        return same;
    }

    static int OrderItems(Rendering rendering, IReadOnlyList<Value> left, IReadOnlyList<Value> right, string symbol)
    {
        rendering.Enter();
        for (var i = 0; i < Math.Min(left.Count, right.Count); i++)
        {
            if (Equal(rendering, left[i], right[i])) continue;
            var order = Order(rendering, left[i], right[i], symbol);
            rendering.Leave();
            return order;
        }
        rendering.Leave();
        return left.Count.CompareTo(right.Count);
    }
}
