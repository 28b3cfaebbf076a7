using System.Text.Json;
using System.Text.RegularExpressions;

namespace Serving.Tests;

/// <summary>Whether a value is valid by a JSON schema, straight from the specification; shares nothing with what it checks.</summary>
sealed class SchemaOracle(JsonElement root)
{
    public bool IsValid(JsonElement value) => Holds(root, value);

    bool Holds(JsonElement schema, JsonElement value)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return schema.ValueKind == JsonValueKind.True;
        return schema.EnumerateObject().All(keyword => Holds(schema, keyword.Name, keyword.Value, value));
    }

    bool Holds(JsonElement schema, string keyword, JsonElement wanted, JsonElement value) => keyword switch
    {
        "$ref" => Holds(Resolve(wanted.GetString()!), value),
        "allOf" => wanted.EnumerateArray().All(part => Holds(part, value)),
        "anyOf" => wanted.EnumerateArray().Any(part => Holds(part, value)),
        "oneOf" => wanted.EnumerateArray().Count(part => Holds(part, value)) == 1,
        "const" => JsonElement.DeepEquals(wanted, value),
        "enum" => wanted.EnumerateArray().Any(one => JsonElement.DeepEquals(one, value)),
        "type" => wanted.ValueKind == JsonValueKind.Array ? wanted.EnumerateArray().Any(type => IsOf(type.GetString()!, value)) : IsOf(wanted.GetString()!, value),
        "minimum" => value.ValueKind != JsonValueKind.Number || Number(value) >= wanted.GetDecimal(),
        "maximum" => value.ValueKind != JsonValueKind.Number || Number(value) <= wanted.GetDecimal(),
        "exclusiveMinimum" => value.ValueKind != JsonValueKind.Number || Number(value) > wanted.GetDecimal(),
        "exclusiveMaximum" => value.ValueKind != JsonValueKind.Number || Number(value) < wanted.GetDecimal(),
        "minLength" => value.ValueKind != JsonValueKind.String || value.GetString()!.EnumerateRunes().Count() >= wanted.GetInt32(),
        "maxLength" => value.ValueKind != JsonValueKind.String || value.GetString()!.EnumerateRunes().Count() <= wanted.GetInt32(),
        "pattern" => value.ValueKind != JsonValueKind.String || Matches(wanted.GetString()!, value.GetString()!),
        "minItems" => value.ValueKind != JsonValueKind.Array || value.GetArrayLength() >= wanted.GetInt32(),
        "maxItems" => value.ValueKind != JsonValueKind.Array || value.GetArrayLength() <= wanted.GetInt32(),
        "required" => value.ValueKind != JsonValueKind.Object || wanted.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _)),
        "properties" => value.ValueKind != JsonValueKind.Object || value.EnumerateObject().All(member =>
            !wanted.TryGetProperty(member.Name, out var own) || Holds(own, member.Value)),
        "additionalProperties" => value.ValueKind != JsonValueKind.Object || value.EnumerateObject().All(member =>
            (schema.TryGetProperty("properties", out var named) && named.TryGetProperty(member.Name, out _))
            || (schema.TryGetProperty("patternProperties", out var patterns) && patterns.EnumerateObject().Any(pattern => Matches(pattern.Name, member.Name)))
            || Holds(wanted, member.Value)),
        "prefixItems" => value.ValueKind != JsonValueKind.Array || wanted.EnumerateArray().Zip(value.EnumerateArray()).All(pair => Holds(pair.First, pair.Second)),
        "items" => value.ValueKind != JsonValueKind.Array || value.EnumerateArray()
            .Skip(schema.TryGetProperty("prefixItems", out var prefix) ? prefix.GetArrayLength() : 0).All(item => Holds(wanted, item)),
        "minProperties" => value.ValueKind != JsonValueKind.Object || Names(value).Count() >= wanted.GetInt32(),
        "maxProperties" => value.ValueKind != JsonValueKind.Object || Names(value).Count() <= wanted.GetInt32(),
        "propertyNames" => value.ValueKind != JsonValueKind.Object || Names(value).All(name => Holds(wanted, JsonSerializer.SerializeToElement(name))),
        "patternProperties" => value.ValueKind != JsonValueKind.Object || value.EnumerateObject().All(member =>
            wanted.EnumerateObject().All(pattern => !Matches(pattern.Name, member.Name) || Holds(pattern.Value, member.Value))),
        "multipleOf" => value.ValueKind != JsonValueKind.Number || Number(value) % wanted.GetDecimal() == 0,
        "uniqueItems" => value.ValueKind != JsonValueKind.Array || !wanted.GetBoolean()
            || value.EnumerateArray().Select((item, i) => value.EnumerateArray().Take(i).All(other => !JsonElement.DeepEquals(item, other))).All(isNew => isNew),
        "not" => !Holds(wanted, value),
        "if" => !schema.TryGetProperty(Holds(wanted, value) ? "then" : "else", out var outcome) || Holds(outcome, value),
        "then" or "else" => true,
        "dependentRequired" => value.ValueKind != JsonValueKind.Object || wanted.EnumerateObject().All(one =>
            !value.TryGetProperty(one.Name, out _) || one.Value.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _))),
        "dependentSchemas" => value.ValueKind != JsonValueKind.Object || wanted.EnumerateObject().All(one =>
            !value.TryGetProperty(one.Name, out _) || Holds(one.Value, value)),
        "$defs" => true,
        _ => throw new ArgumentException($"The oracle does not know '{keyword}'."),
    };

    static bool Matches(string pattern, string text) => Regex.IsMatch(text, pattern, RegexOptions.ECMAScript);

    static IEnumerable<string> Names(JsonElement value) => value.EnumerateObject().Select(member => member.Name).Distinct();

    JsonElement Resolve(string reference) =>
        reference.Split('/').Skip(1).Aggregate(root, (at, name) => at.GetProperty(name));

    /// <summary>A number; the largest or smallest one for what is beyond them, 1e99 as an example.</summary>
    static decimal Number(JsonElement value) =>
        value.TryGetDecimal(out var number) ? number : value.GetDouble() > 0 ? decimal.MaxValue : decimal.MinValue;

    static bool IsOf(string type, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => type == "object",
        JsonValueKind.Array => type == "array",
        JsonValueKind.String => type == "string",
        JsonValueKind.Number => type == "number" || (type == "integer" && Number(value) % 1 == 0),
        JsonValueKind.True or JsonValueKind.False => type == "boolean",
        _ => type == "null",
    };
}
