using System.Text.Json;
using System.Text.Json.Nodes;

namespace Serving.Grammar.Schemas;

/// <summary>
/// What holds where a schema does not: one of its assertions fails. Each says how it fails as a schema again, by De Morgan's laws and by turning
/// bounds around; those whose failure no grammar here can express are refused by name.
/// </summary>
static class Negation
{
    /// <summary>Assertions of types and of single values, whose failure <see cref="Exclusions"/> takes away from what is left.</summary>
    static readonly string[] Sets = ["type", "enum", "const"];

    /// <summary>Whether a schema is one that <see cref="Exclusions"/> takes away as it is.</summary>
    public static bool IsPlain(JsonElement schema)
    {
        var said = Said(schema).ToList();
        return said.TrueForAll(keyword => Sets.Contains(keyword.Name)) || said is [{ Name: "pattern" }];
    }

    /// <summary>The ways in which a schema may fail, as a list of schemas: at least one of them holds.</summary>
    /// <param name="place">The schema.</param>
    /// <param name="references">What its references mean.</param>
    public static JsonElement Of(SchemaPlace place, SchemaReferences references)
    {
        var said = Said(place.Json).ToList();
        var ways = new JsonArray();
        if (said.Exists(keyword => Sets.Contains(keyword.Name)))
            ways.Add((JsonNode)Not(new JsonObject(said.Where(keyword => Sets.Contains(keyword.Name)).Select(keyword => KeyValuePair.Create(keyword.Name, Copy(keyword.Value))))));
        foreach (var keyword in said.Where(keyword => !Sets.Contains(keyword.Name)))
            foreach (var way in Ways(place, keyword.Name, keyword.Value, references))
                ways.Add(way);
        return JsonElement.Parse(ways.ToJsonString());
    }

    static IEnumerable<JsonProperty> Said(JsonElement schema) => schema.EnumerateObject().Where(keyword =>
        SchemaKeywords.Held.Contains(keyword.Name) || SchemaKeywords.Refused.Contains(keyword.Name));

    static IEnumerable<JsonNode?> Ways(SchemaPlace place, string keyword, JsonElement value, SchemaReferences references) => keyword switch
    {
        "not" => [Copy(value)],
        "$ref" => [Not(Copy(references.Resolve(place).Json))],
        "allOf" => Parts(place, keyword, value).Select(part => Not(Copy(part))),
        "anyOf" => [new JsonObject { ["allOf"] = new JsonArray([.. Parts(place, keyword, value).Select(part => Not(Copy(part)))]) }],
        "required" => Parts(place, keyword, value).Select(name => name.ValueKind == JsonValueKind.String
            ? Typed("object", ("properties", new JsonObject { [name.GetString()!] = false })) : throw place.Wrong(keyword, "a list of names")),
        "properties" when value.ValueKind == JsonValueKind.Object => value.EnumerateObject().Select(member => Typed("object",
            ("required", new JsonArray(member.Name)), ("properties", new JsonObject { [member.Name] = Not(Copy(member.Value)) }))),
        "minimum" => [Typed("number", ("exclusiveMaximum", Number(place, keyword, value)))],
        "maximum" => [Typed("number", ("exclusiveMinimum", Number(place, keyword, value)))],
        "exclusiveMinimum" => [Typed("number", ("maximum", Number(place, keyword, value)))],
        "exclusiveMaximum" => [Typed("number", ("minimum", Number(place, keyword, value)))],
        "minLength" => Fewer(place, keyword, value, "string", "maxLength"),
        "maxLength" => More(place, keyword, value, "string", "minLength"),
        "minItems" => Fewer(place, keyword, value, "array", "maxItems"),
        "maxItems" => More(place, keyword, value, "array", "minItems"),
        "minProperties" => Fewer(place, keyword, value, "object", "maxProperties"),
        "maxProperties" => More(place, keyword, value, "object", "minProperties"),
        "pattern" => [Typed("string", ("not", new JsonObject { ["pattern"] = Copy(value) }))],
        _ => throw place.Unsupported(keyword),
    };

    static JsonElement.ArrayEnumerator Parts(SchemaPlace place, string keyword, JsonElement value) =>
        value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : throw place.Wrong(keyword, "a list");

    /// <summary>A bound as it stands; the flags of the draft of 2013 are not turned around.</summary>
    static JsonNode? Number(SchemaPlace place, string keyword, JsonElement value) =>
        value.ValueKind != JsonValueKind.Number || place.Json.TryGetProperty("exclusiveMinimum", out var strict) && strict.ValueKind != JsonValueKind.Number
            || place.Json.TryGetProperty("exclusiveMaximum", out strict) && strict.ValueKind != JsonValueKind.Number
            ? throw place.Unsupported(keyword) : Copy(value);

    static IEnumerable<JsonNode?> Fewer(SchemaPlace place, string keyword, JsonElement value, string type, string other) =>
        Count(place, keyword, value) is > 0 and var count ? [Typed(type, (other, count - 1))] : [];

    static IEnumerable<JsonNode?> More(SchemaPlace place, string keyword, JsonElement value, string type, string other) =>
        [Typed(type, (other, Count(place, keyword, value) + 1))];

    static int Count(SchemaPlace place, string keyword, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var count) && count is >= 0 and < int.MaxValue ? count
        : throw place.Wrong(keyword, "an integer that is not negative");

    static JsonObject Typed(string type, params ReadOnlySpan<(string Keyword, JsonNode? Value)> assertions)
    {
        var schema = new JsonObject { ["type"] = type };
        foreach (var (keyword, value) in assertions)
            schema[keyword] = value;
        return schema;
    }

    static JsonObject Not(JsonNode? schema) => new() { ["not"] = schema };

    static JsonNode? Copy(JsonElement value) => JsonNode.Parse(value.GetRawText());
}
