using System.Text.Json;

namespace Serving.Grammar.Schemas;

/// <summary>
/// Whether no value can be valid by two alternatives, as oneOf wants: they have different types, or a property that each requires has a
/// different constant in each.
/// </summary>
sealed class SchemaOverlap(SchemaReferences references)
{
    const int MostReferences = 32;

    public void Check(SchemaPlace group, List<SchemaPlace> branches)
    {
        var resolved = branches.Select(Resolved).ToList();
        for (var i = 0; i < resolved.Count; i++)
            for (var j = 0; j < i; j++)
                if (!Differ(resolved[i].Json, resolved[j].Json))
                    throw new GrammarException(
                        $"'{group.Path}' is not supported where a value may be valid by two of its schemas ({j} and {i}); use anyOf, or give them different types or constants.");
    }

    SchemaPlace Resolved(SchemaPlace place)
    {
        for (var i = 0; i < MostReferences && place.Json.ValueKind == JsonValueKind.Object && place.Json.TryGetProperty("$ref", out _); i++)
            place = references.Resolve(place);
        return place;
    }

    bool Differ(JsonElement a, JsonElement b)
    {
        if (a.ValueKind == JsonValueKind.False || b.ValueKind == JsonValueKind.False)
            return true;
        if (a.ValueKind != JsonValueKind.Object || b.ValueKind != JsonValueKind.Object)
            return false;
        if (Types(a) is { } types && Types(b) is { } others && !types.Intersect(others).Any())
            return true;
        if (Constants(a) is { } values && Constants(b) is { } constants)
            return !values.Intersect(constants).Any();
        return Required(a).Intersect(Required(b)).Any(name =>
            Property(a, name) is { } left && Property(b, name) is { } right
            && Resolved(SchemaPlace.Of(left, "")) is var x && Resolved(SchemaPlace.Of(right, "")) is var y
            && Constants(x.Json) is { } own && Constants(y.Json) is { } theirs && !own.Intersect(theirs).Any());
    }

    static string[]? Types(JsonElement schema)
    {
        if (schema.TryGetProperty("type", out var type))
            return [.. (type.ValueKind == JsonValueKind.Array ? type.EnumerateArray() : (IEnumerable<JsonElement>)[type])
                .Select(name => name.GetString() is "integer" ? "number" : name.GetString() ?? "")];
        return schema.TryGetProperty("properties", out _) ? ["object"] : schema.TryGetProperty("items", out _) ? ["array"] : null;
    }

    static string[]? Constants(JsonElement schema) =>
        schema.ValueKind != JsonValueKind.Object ? null
        : schema.TryGetProperty("const", out var constant) ? [JsonText.Spell(constant)]
        : schema.TryGetProperty("enum", out var values) && values.ValueKind == JsonValueKind.Array ? [.. values.EnumerateArray().Select(JsonText.Spell)]
        : null;

    static IEnumerable<string> Required(JsonElement schema) =>
        schema.TryGetProperty("required", out var names) && names.ValueKind == JsonValueKind.Array
            ? names.EnumerateArray().Where(name => name.ValueKind == JsonValueKind.String).Select(name => name.GetString()!)
            : [];

    static JsonElement? Property(JsonElement schema, string name) =>
        schema.TryGetProperty("properties", out var properties) && properties.ValueKind == JsonValueKind.Object
            && properties.TryGetProperty(name, out var property) ? property : null;
}
