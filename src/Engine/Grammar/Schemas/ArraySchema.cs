using System.Collections.Immutable;
using System.Text.Json;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>Arrays: a few items with schemas of their own, then any number of others, within bounds.</summary>
sealed class ArraySchema(List<SchemaPlace> places, SchemaReader reader)
{
    public Expr ToExpr()
    {
        var rest = Item(int.MaxValue);
        var own = places.Max(place => Prefix(place)?.GetArrayLength() ?? 0);
        var min = Counts.Most(places, "minItems") ?? 0;
        var max = Counts.Least(places, "maxItems");
        if (rest is null)
            max = Math.Min(max ?? int.MaxValue, own);
        if (max < min)
            return Expr.Nothing;
        if (max == 0)
            return Expr.OneOf([Expr.Text("[]"), Expr.Text("[ ]")]);
        if (max is null or > 1 && places.FindIndex(IsUnique) is >= 0 and var unique)
            return own == 0 && reader.Values(Constraints(0)!.Value) is { } values
                ? new UniqueItems(values, min, max).ToExpr()
                : throw places[unique].Unsupported("uniqueItems but of the values of an enum");
        var first = own > 0 ? Item(0) : rest;
        var items = Expr.Of(first ?? Expr.Nothing, Further(Math.Min(own, max ?? int.MaxValue), rest, min, max));
        return min > 0 ? JsonText.Filled("[", "]", items) : JsonText.Braced("[", "]", items);
    }

    /// <summary>The items after the first, each after a comma: those with schemas of their own, then the others.</summary>
    Expr Further(int own, Expr? rest, int min, int? max)
    {
        var before = Math.Max(own, 1);
        var further = rest is null ? Expr.Empty : Expr.Times(
            Expr.Of(JsonText.Comma, rest), Math.Max(0, min - before), max is { } most ? Math.Max(0, most - before) : null);
        for (var i = own - 1; i > 0; i--)
        {
            var item = Expr.Of(JsonText.Comma, Item(i) ?? Expr.Nothing, further);
            further = Definition.Of("items", i < min ? item : item.OrEmpty()).Called();
        }
        return further;
    }

    static bool IsUnique(SchemaPlace place) => place.Json.TryGetProperty("uniqueItems", out var unique) && unique.ValueKind != JsonValueKind.False;

    Expr? Item(int index) => Constraints(index) is { } constraints ? reader.Of(constraints) : null;

    /// <summary>What all schemas say of the item at a place; null where one forbids it.</summary>
    ImmutableArray<SchemaPlace>? Constraints(int index)
    {
        var found = ImmutableArray.CreateBuilder<SchemaPlace>();
        foreach (var place in places)
        {
            var schema = Prefix(place) is { } prefix && index < prefix.GetArrayLength()
                ? place.Below($"prefixItems.{index}", prefix[index])
                : Others(place);
            if (schema is { Json.ValueKind: JsonValueKind.False })
                return null;
            if (schema is { } given)
                found.Add(given);
        }
        return found.DrainToImmutable();
    }

    /// <summary>The schemas of the first items, in the older spelling too: a list under items.</summary>
    static JsonElement? Prefix(SchemaPlace place)
    {
        if (place.Json.TryGetProperty("prefixItems", out var prefix))
            return prefix.ValueKind == JsonValueKind.Array ? prefix : throw place.Wrong("prefixItems", "a list of schemas");
        return place.Json.TryGetProperty("items", out var items) && items.ValueKind == JsonValueKind.Array ? items : null;
    }

    static SchemaPlace? Others(SchemaPlace place)
    {
        if (!place.Json.TryGetProperty("items", out var items))
            return null;
        if (items.ValueKind != JsonValueKind.Array)
            return place.Below("items", items);
        return place.Json.TryGetProperty("additionalItems", out var others) ? place.Below("additionalItems", others) : null;
    }
}

/// <summary>Bounds that are counts.</summary>
static class Counts
{
    /// <summary>The strictest of lower bounds.</summary>
    public static int? Most(List<SchemaPlace> places, string keyword) => Of(places, keyword).Max();

    /// <summary>The strictest of upper bounds.</summary>
    public static int? Least(List<SchemaPlace> places, string keyword) => Of(places, keyword).Min();

    static IEnumerable<int?> Of(List<SchemaPlace> places, string keyword) =>
        from place in places
        where place.Json.TryGetProperty(keyword, out _)
        let given = place.Json.GetProperty(keyword)
        select given.ValueKind == JsonValueKind.Number && given.TryGetDecimal(out var count) && count >= 0 && count == decimal.Truncate(count)
            ? (int?)Math.Min(count, int.MaxValue / 2)
            : throw place.Wrong(keyword, "an integer that is not negative");
}
