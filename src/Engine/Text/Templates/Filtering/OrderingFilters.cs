using Serving.Text.Templates.Library;
using Serving.Text.Templates.Runtime;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates.Filtering;

/// <summary>The filters that compare items: sorting, grouping, extremes; text ignores case unless told otherwise.</summary>
static class OrderingFilters
{
    public static ListValue Sort(Call call)
    {
        var keyed = Keyed(call, call.Items(0), item => Keys(call, item, call.Optional(3), call.Flag(2)));
        return new ListValue(Sorted(call, keyed, call.Flag(1)));
    }

    public static ListValue DictSort(Call call)
    {
        if (call[0] is not Dict dict) throw TemplateException.Runtime($"dictsort needs a mapping, not '{call[0].TypeName}'");
        var by = call.Text(2, "key").Text;
        if (by is not ("key" or "value")) throw TemplateException.Runtime("You can only sort by either \"key\" or \"value\"");
        var pairs = dict.Entries.Select(entry => (Value)new TupleValue([entry.Key, entry.Value])).ToList();
        var keyed = Keyed(call, pairs, pair => [Folded(call, pair.Items![by == "key" ? 0 : 1], call.Flag(1))]);
        return new ListValue(Sorted(call, keyed, call.Flag(3)));
    }

    public static ListValue GroupBy(Call call)
    {
        var keyed = Keyed(call, call.Items(0), item =>
            [Folded(call, Attributes.Read(call, item, call[1], call.Optional(2)), call.Flag(3))]);
        var sorted = Comparison.Sort(keyed, (a, b) => Order(call, a.Keys, b.Keys));
        List<Value> groups = [];
        for (var from = 0; from < sorted.Count;)
        {
            var to = from + 1;
            while (to < sorted.Count && Comparison.Equal(call.Rendering, sorted[from].Keys[0], sorted[to].Keys[0])) to++;
            var grouper = Attributes.Read(call, sorted[from].Item, call[1], call.Optional(2));
            var members = new ListValue([.. sorted[from..to].Select(entry => entry.Item)]);
            groups.Add(new TupleValue([grouper, members]) { Names = ["grouper", "list"] });
            from = to;
        }
        return new ListValue(groups);
    }

    /// <summary>The largest item for a positive sign, the smallest for a negative one; the first of equal ones.</summary>
    public static Value Extreme(Call call, int sign)
    {
        var keyed = Keyed(call, call.Items(0), item => Keys(call, item, call.Optional(2), call.Flag(1)));
        if (keyed.Count == 0) return new Undefined("No aggregated item, sequence was empty.");
        var best = keyed[0];
        foreach (var candidate in keyed)
            if (Order(call, candidate.Keys, best.Keys) * sign > 0) best = candidate;
        return best.Item;
    }

    public static Generator Unique(Call call)
    {
        var seen = new Dict();
        List<Value> kept = [];
        foreach (var item in call.Items(0))
        {
            var key = Folded(call, call.Has(2) ? Attributes.Read(call, item, call[2]) : item, call.Flag(1));
            if (seen.Lookup(key) is not null) continue;
            seen.Set(key, None.Value);
            kept.Add(item);
        }
        return new Generator(kept);
    }

    static List<(Value[] Keys, Value Item)> Keyed(Call call, IReadOnlyList<Value> items, Func<Value, Value[]> keys)
    {
        call.Rendering.Step(items.Count);
        return [.. items.Select(item => (keys(item), item))];
    }

    static List<Value> Sorted(Call call, List<(Value[] Keys, Value Item)> keyed, bool reverse) =>
        [.. Comparison.Sort(keyed, (a, b) => Order(call, a.Keys, b.Keys) * (reverse ? -1 : 1)).Select(entry => entry.Item)];

    /// <summary>The keys of an item: itself, or the attributes named between commas.</summary>
    static Value[] Keys(Call call, Value item, Value? attribute, bool caseSensitive) => attribute switch
    {
        null or None => [Folded(call, item, caseSensitive)],
        Str names => [.. names.Text.Split(',').Select(name => Folded(call, Attributes.Read(call, item, new Str(name)), caseSensitive))],
        _ => [Folded(call, Attributes.Read(call, item, attribute), caseSensitive)],
    };

    static Value Folded(Call call, Value value, bool caseSensitive) =>
        value is Str text && !caseSensitive ? StringMethods.Changed(call.Rendering, text, LetterCase.Lower) : value;

    static int Order(Call call, Value[] left, Value[] right)
    {
        for (var i = 0; i < left.Length; i++)
            if (Comparison.Order(call.Rendering, left[i], right[i]) is not 0 and var order) return order;
        return 0;
    }
}
