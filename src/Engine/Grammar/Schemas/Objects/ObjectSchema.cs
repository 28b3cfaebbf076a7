using System.Collections.Immutable;
using System.Text.Json;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>
/// Objects: properties come in the order of the schema, those that are not required may be missing. Properties that the schema does not name
/// follow them where it allows any explicitly, or names none at all; their names are spelled without escapes, so that none of them can
/// stand for a named one.
/// </summary>
sealed class ObjectSchema(List<SchemaPlace> places, SchemaReader reader)
{
    sealed record Property(string Name, Expr Value, bool IsRequired)
    {
        public Expr Member => Expr.Of(Expr.Text(JsonText.Spell(Name)), JsonText.Colon, Value);
    }

    readonly List<Dictionary<string, JsonElement>> _properties = [.. places.Select(Properties)];
    readonly MemberNames _names = new(places, reader);

    public Expr ToExpr()
    {
        var names = _properties.SelectMany(own => own.Keys).Distinct().ToList();
        var required = places.SelectMany(Required).ToHashSet();
        var properties = ImmutableArray.CreateBuilder<Property>();
        foreach (var name in names.Concat(required).Distinct())
        {
            if (Constraints(name) is { } constraints)
                properties.Add(new(name, reader.Of(constraints), required.Contains(name)));
            else if (required.Contains(name))
                return Expr.Nothing;
        }
        var (min, max) = (Counts.Most(places, "minProperties") ?? 0, Counts.Least(places, "maxProperties"));
        var others = _names.Any ? _names.Others([.. properties.Select(p => p.Name), .. names], names.Count > 0) : Others(names) is { } value ? Other(properties, value) : null;
        var isCounted = max < properties.Count || (max is not null && others is not null) || min > properties.Count(p => p.IsRequired);
        if (others is not null && min > properties.Count + 1)
            throw places.Find(place => place.Json.TryGetProperty("minProperties", out _)).Unsupported("minProperties above the number of named properties and one");
        if (isCounted)
            return new CountedMembers([.. properties.Select(p => (p.Member, p.IsRequired))], others, min, max).ToExpr();
        if (properties.Count == 0 && others is null)
            return Expr.OneOf([Expr.Text("{}"), Expr.Text("{ }")]);
        return properties.Count == 0 && !_names.Any && Others(names) == JsonText.Value.Called() ? JsonText.Object.Called() : Members(properties.DrainToImmutable(), others);
    }

    static Dictionary<string, JsonElement> Properties(SchemaPlace place)
    {
        var members = new Dictionary<string, JsonElement>();
        if (!place.Json.TryGetProperty("properties", out var properties))
            return members;
        if (properties.ValueKind != JsonValueKind.Object)
            throw place.Wrong("properties", "an object");
        foreach (var member in properties.EnumerateObject())
            members[member.Name] = member.Value;
        return members;
    }

    static IEnumerable<string> Required(SchemaPlace place) =>
        !place.Json.TryGetProperty("required", out var required) ? []
        : required.ValueKind == JsonValueKind.Array && required.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String)
            ? required.EnumerateArray().Select(name => name.GetString()!)
            : throw place.Wrong("required", "a list of names");

    /// <summary>What all schemas say of a property; null where one forbids it.</summary>
    ImmutableArray<SchemaPlace>? Constraints(string name)
    {
        if (!_names.Allows(name))
            return null;
        var found = ImmutableArray.CreateBuilder<SchemaPlace>();
        foreach (var (place, properties) in places.Zip(_properties))
        {
            var matched = _names.Matching(place, name);
            found.AddRange(matched);
            if (properties.TryGetValue(name, out var own))
                found.Add(place.Below($"properties.{name}", own));
            else if (matched.IsEmpty && place.Json.TryGetProperty("additionalProperties", out var others))
            {
                if (others.ValueKind == JsonValueKind.False)
                    return null;
                found.Add(place.Below("additionalProperties", others));
            }
        }
        return found.DrainToImmutable();
    }

    /// <summary>The value of a property that no schema names; null where none may be.</summary>
    Expr? Others(List<string> names)
    {
        var given = places.Where(place => place.Json.TryGetProperty("additionalProperties", out _))
            .Select(place => place.Below("additionalProperties", place.Json.GetProperty("additionalProperties"))).ToImmutableArray();
        if (given.IsEmpty)
            return names.Count == 0 ? JsonText.Value.Called() : null;
        return given.Any(place => place.Json.ValueKind == JsonValueKind.False) ? null
            : reader.Of([.. given.Where(place => place.Json.ValueKind != JsonValueKind.True)]);
    }

    static Expr Members(ImmutableArray<Property> properties, Expr? others)
    {
        var members = properties.Select(property => (property.Member, property.IsRequired));
        if (others is not null)
            members = members.Append((JsonText.Listed(others, 0, null), false));
        var listed = Expr.Listed([.. members], JsonText.Comma);
        return properties.Any(property => property.IsRequired) ? JsonText.Filled("{", "}", listed) : JsonText.Braced("{", "}", listed);
    }

    static Expr Other(IEnumerable<Property> properties, Expr value) =>
        Expr.Of(JsonText.Quoted(NameExcept([.. properties.Select(property => property.Name)], 0)), JsonText.Colon, value);

    /// <summary>Names that differ from all given ones, which agree up to a depth: they leave the tree of names somewhere, or end within it.</summary>
    static Expr NameExcept(List<string> names, int depth)
    {
        var any = JsonText.InString(JsonText.Plain);
        if (names.Count == 0)
            return Expr.Times(any, 0, null);
        var longer = names.Where(name => name.Length > depth).GroupBy(name => char.IsSurrogatePair(name, depth) ? char.ConvertToUtf32(name, depth) : name[depth]).ToList();
        var known = CharSet.Of(longer.Select(group => (group.Key, group.Key)));
        var ways = longer.Where(group => JsonText.Plain.Contains(group.Key)).Select(group => Definition.Of("name", Expr.Of(
            CharSet.Of((group.Key, group.Key)).ToUtf8(), NameExcept([.. group], depth + (group.Key > 0xFFFF ? 2 : 1)))).Called());
        var away = Expr.Of(JsonText.Plain.Except(known).ToUtf8(), Expr.Times(any, 0, null));
        return Expr.OneOf([.. ways, away, .. names.Exists(name => name.Length == depth) ? [] : (Expr[])[Expr.Empty]]);
    }
}
