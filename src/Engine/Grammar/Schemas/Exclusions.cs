using System.Text.Json;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>What <c>not</c> takes away, where that is types, single values or strings of a pattern.</summary>
sealed class Exclusions
{
    static readonly string[] Truths = ["true", "false"];

    readonly List<(SchemaPlace Place, List<string>? Types, List<JsonElement>? Values, string? Pattern)> _all = [];

    /// <param name="places">Schemas that do not hold, each plain (<see cref="Negation.IsPlain"/>).</param>
    public Exclusions(IEnumerable<SchemaPlace> places)
    {
        foreach (var place in places)
        {
            if (place.Json.TryGetProperty("pattern", out var pattern))
            {
                _all.Add((place, null, null, pattern.ValueKind == JsonValueKind.String ? pattern.GetString() : throw place.Wrong("pattern", "a string")));
                continue;
            }
            var facts = new SchemaFacts([place with { Kind = PlaceKind.Assertions }]);
            var values = facts.Allowed();
            _all.Add((place, values is null ? facts.Types() : null, values, null));
        }
    }

    /// <summary>Strings that may not be, each character spelled as <see cref="JsonText.InString"/> does.</summary>
    public IReadOnlyList<Expr> Strings(GrammarLimits limits) =>
    [
        .. Values(JsonValueKind.String).Select(value => Expr.Text(JsonText.SpellInString(value.GetString()!))),
        .. _all.Where(one => one.Pattern is not null).Select(one => StringSchema.Matched(one.Place.Below("pattern", default), one.Pattern!, limits)),
    ];

    /// <summary>Numbers that may not be.</summary>
    public IReadOnlyList<decimal> Numbers => [.. Values(JsonValueKind.Number).Select(value => value.GetDecimal())];

    /// <summary>The truth values that may be.</summary>
    public IEnumerable<string> Booleans =>
        Truths.Where(name => !Values(name == "true" ? JsonValueKind.True : JsonValueKind.False).Any());

    /// <summary>Whether a value may not be.</summary>
    public bool Contains(JsonElement value, Func<JsonElement, string, bool> isOf) => _all.Exists(one =>
        one.Pattern is not null ? value.ValueKind != JsonValueKind.String || StringSchema.Matches(one.Place.Below("pattern", default), one.Pattern, value.GetString()!)
        : one.Values?.Exists(other => JsonElement.DeepEquals(value, other)) ?? one.Types!.Exists(type => isOf(value, type)));

    /// <summary>The types of values that are left.</summary>
    public IEnumerable<string> Without(List<string> types)
    {
        var left = types.AsEnumerable();
        foreach (var (place, gone, values, pattern) in _all)
        {
            // Numbers that are not integers, and all values of a type but one, are no set that the grammars here have.
            if (gone?.Contains("integer") == true && !gone.Contains("number") && types.Contains("number")
                || values?.Exists(value => value.ValueKind switch
                {
                    JsonValueKind.Number => (types.Contains("number") || types.Contains("integer")) && !value.TryGetDecimal(out _),
                    JsonValueKind.Object => types.Contains("object"),
                    JsonValueKind.Array => types.Contains("array"),
                    _ => false,
                }) == true)
                throw new GrammarException($"'{place.Path}' is not supported.");
            left = left.Where(type => gone?.Contains(type) != true && !(type == "integer" && gone?.Contains("number") == true)
                && !(type == "null" && values?.Exists(value => value.ValueKind == JsonValueKind.Null) == true)
                && (type == "string" || pattern is null));
        }
        return left;
    }

    IEnumerable<JsonElement> Values(JsonValueKind kind) => _all.SelectMany(one => one.Values ?? []).Where(value => value.ValueKind == kind);
}
