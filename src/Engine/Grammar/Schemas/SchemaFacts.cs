using System.Text.Json;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>The assertions of schemas that hold together, and the texts that fulfil them all.</summary>
sealed class SchemaFacts(List<SchemaPlace> all)
{
    static readonly string[] AllTypes = ["object", "array", "string", "number", "integer", "boolean", "null"];

    /// <summary>Assertions that speak of values of one type; a schema with some of them and no type means that type.</summary>
    static readonly Dictionary<string, string[]> TypeOfKeyword = new()
    {
        ["object"] = ["properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties", "maxProperties"],
        ["array"] = ["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "additionalItems"],
        ["string"] = ["pattern", "format", "minLength", "maxLength"],
        ["number"] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
    };

    readonly List<SchemaPlace> _places = all.FindAll(place => place.Kind != PlaceKind.Not);
    readonly Exclusions _excluded = new(all.Where(place => place.Kind == PlaceKind.Not));

    public Expr ToExpr(SchemaReader reader)
    {
        if (Allowed() is { } values)
            return Expr.OneOf(values.Select(JsonText.Literal));
        return Expr.OneOf([.. _excluded.Without(Types()).Select(type => OfType(type, reader))]);
    }

    /// <summary>The values of enum and const that all else allows; null where there are no such keywords.</summary>
    public List<JsonElement>? Allowed() => Values() is not { } values ? null
        : Literals(values, Types()).Where(value => !_excluded.Contains(value, IsOf)).ToList();

    Expr OfType(string type, SchemaReader reader) => type switch
    {
        "object" => new ObjectSchema(_places, reader).ToExpr(),
        "array" => new ArraySchema(_places, reader).ToExpr(),
        "string" => StringSchema.Of(_places, _excluded.Strings(reader.Limits), reader.Limits),
        "number" => NumberSchema.Of(_places, integers: false, _excluded.Numbers, reader.Limits),
        "integer" => NumberSchema.Of(_places, integers: true, _excluded.Numbers, reader.Limits),
        "boolean" => Expr.OneOf(_excluded.Booleans.Select(Expr.Text)),
        _ => Expr.Text("null"),
    };

    /// <summary>The types of values that may be.</summary>
    public List<string> Types()
    {
        var types = AllTypes.Where(type => type != "integer").ToList();
        var named = Values() is not null;
        foreach (var place in _places)
        {
            if (!place.Json.TryGetProperty("type", out var given))
                continue;
            named = true;
            var own = Names(place, given);
            var both = types.Where(own.Contains).ToList();
            if (own.Contains("integer") && !own.Contains("number") && types.Any(type => type is "number" or "integer"))
                both.Add("integer");
            if (own.Contains("number") && types.Contains("integer"))
                both.Add("integer");
            types = [.. both.Distinct()];
        }
        if (named)
            return types;
        var meant = TypeOfKeyword.Where(pair => pair.Value.Any(keyword => _places.Any(place => place.Json.TryGetProperty(keyword, out _))))
            .Select(pair => pair.Key).ToList();
        return meant.Count > 0 ? meant : types;
    }

    static List<string> Names(SchemaPlace place, JsonElement given)
    {
        List<string> names = [.. (given.ValueKind == JsonValueKind.Array ? given.EnumerateArray() : (IEnumerable<JsonElement>)[given])
            .Select(name => name.ValueKind == JsonValueKind.String ? name.GetString()! : throw place.Wrong("type", "a type's name or a list of them"))];
        return names.Find(name => !AllTypes.Contains(name)) is { } unknown
            ? throw new GrammarException($"'{place.Below("type", given).Path}' is '{unknown}'; types are {string.Join(", ", AllTypes)}.")
            : names;
    }

    /// <summary>The values of enum and const, those in all of them; null where there are none.</summary>
    List<JsonElement>? Values()
    {
        List<JsonElement>? values = null;
        foreach (var place in _places)
        {
            if (place.Json.TryGetProperty("const", out var constant))
                Narrow([constant]);
            if (place.Json.TryGetProperty("enum", out var listed))
                Narrow(listed.ValueKind == JsonValueKind.Array ? [.. listed.EnumerateArray()] : throw place.Wrong("enum", "a list of values"));
        }
        return values;

        void Narrow(List<JsonElement> given) =>
            values = values is null ? given : [.. values.Where(value => given.Any(other => JsonElement.DeepEquals(value, other)))];
    }

    IEnumerable<JsonElement> Literals(List<JsonElement> values, List<string> types)
    {
        foreach (var (type, keywords) in TypeOfKeyword.Where(pair => values.Exists(value => pair.Key is "object" or "array" && IsOf(value, pair.Key))))
            foreach (var place in _places)
                if (Array.Find(keywords, name => place.Json.TryGetProperty(name, out _)) is { } beside)
                    throw place.Unsupported($"{beside} beside enum or const");
        return values.Where(value => types.Any(type => IsOf(value, type)) && value.ValueKind switch
        {
            JsonValueKind.String => StringSchema.Holds(_places, value.GetString()!),
            JsonValueKind.Number => NumberSchema.Holds(_places, value),
            _ => true,
        });
    }

    static bool IsOf(JsonElement value, string type) => value.ValueKind switch
    {
        JsonValueKind.Object => type == "object",
        JsonValueKind.Array => type == "array",
        JsonValueKind.String => type == "string",
        JsonValueKind.Number => type == "number" || (type == "integer" && value.TryGetDecimal(out var number) && number == decimal.Truncate(number)),
        JsonValueKind.True or JsonValueKind.False => type == "boolean",
        _ => type == "null",
    };
}
