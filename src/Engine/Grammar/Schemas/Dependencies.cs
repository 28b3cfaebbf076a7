using System.Text.Json;
using System.Text.Json.Nodes;

namespace Serving.Grammar.Schemas;

/// <summary>
/// What holds of an object that has a member: <c>dependentRequired</c> and <c>dependentSchemas</c>, and <c>dependencies</c>, which was both. Either
/// the member is not there, or what depends on it holds.
/// </summary>
static class Dependencies
{
    static readonly string[] Keywords = ["dependentRequired", "dependentSchemas", "dependencies"];

    /// <summary>Each dependency of a schema as a list of schemas, at least one of which holds.</summary>
    public static IEnumerable<SchemaPlace> Of(SchemaPlace place)
    {
        foreach (var keyword in Keywords)
        {
            if (!place.Json.TryGetProperty(keyword, out var all))
                continue;
            if (all.ValueKind != JsonValueKind.Object)
                throw place.Wrong(keyword, "an object");
            foreach (var one in all.EnumerateObject())
            {
                JsonNode? wanted = JsonNode.Parse(one.Value.GetRawText());
                if (keyword == "dependentRequired" || keyword == "dependencies" && wanted is JsonArray)
                    wanted = new JsonObject { ["required"] = wanted };
                var ways = new JsonArray(new JsonObject { ["properties"] = new JsonObject { [one.Name] = false } }, wanted);
                yield return place.Below($"{keyword}.{one.Name}", JsonElement.Parse(ways.ToJsonString()), PlaceKind.AnyOf);
            }
        }
    }
}
