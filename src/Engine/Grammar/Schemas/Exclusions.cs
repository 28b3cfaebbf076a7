using System.Text.Json;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>What <c>not</c> takes away, where that is types or single values; anything else is refused by name.</summary>
sealed class Exclusions
{
    static readonly string[] Known = ["type", "enum", "const", "title", "description", "$comment"];

    static readonly string[] Truths = ["true", "false"];

    readonly List<(SchemaPlace Place, List<string>? Types, List<JsonElement>? Values)> _all = [];

    public Exclusions(List<SchemaPlace> places)
    {
        foreach (var place in places)
        {
            if (!place.Json.TryGetProperty("not", out var schema))
                continue;
            if (schema.ValueKind != JsonValueKind.Object || !schema.EnumerateObject().All(keyword => Known.Contains(keyword.Name)))
                throw place.Unsupported("not");
            var below = place.Below("not", schema);
            var facts = new SchemaFacts([below]);
            var values = facts.Allowed();
            if (values is null && !schema.TryGetProperty("type", out _))
                throw place.Unsupported("not");
            _all.Add((place, values is null ? facts.Types() : null, values));
        }
    }

    /// <summary>Strings that may not be.</summary>
    public IReadOnlyList<string> Strings => [.. Values(JsonValueKind.String).Select(value => value.GetString()!)];

    /// <summary>The truth values that may be.</summary>
    public IEnumerable<string> Booleans =>
        Truths.Where(name => !Values(name == "true" ? JsonValueKind.True : JsonValueKind.False).Any());

    /// <summary>Whether a value may not be.</summary>
    public bool Contains(JsonElement value, Func<JsonElement, string, bool> isOf) => _all.Exists(one =>
        one.Values?.Exists(other => JsonElement.DeepEquals(value, other)) ?? one.Types!.Exists(type => isOf(value, type)));

    /// <summary>The types of values that are left.</summary>
    public IEnumerable<string> Without(List<string> types)
    {
        var left = types.AsEnumerable();
        foreach (var (place, gone, values) in _all)
        {
            // Numbers that are not integers, and all values of a type but one, are no set that the grammars here have.
            if (gone?.Contains("integer") == true && !gone.Contains("number") && types.Contains("number")
                || values?.Exists(value => value.ValueKind switch
                {
                    JsonValueKind.Number => types.Contains("number") || types.Contains("integer"),
                    JsonValueKind.Object => types.Contains("object"),
                    JsonValueKind.Array => types.Contains("array"),
                    _ => false,
                }) == true)
                throw place.Unsupported("not");
            left = left.Where(type => gone?.Contains(type) != true && !(type == "integer" && gone?.Contains("number") == true)
                && !(type == "null" && values?.Exists(value => value.ValueKind == JsonValueKind.Null) == true));
        }
        return left;
    }

    IEnumerable<JsonElement> Values(JsonValueKind kind) => _all.SelectMany(one => one.Values ?? []).Where(value => value.ValueKind == kind);
}
