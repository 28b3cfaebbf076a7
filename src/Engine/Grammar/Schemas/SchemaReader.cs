using System.Collections.Immutable;
using System.Text.Json;
using Serving.Grammar.Expressions;

namespace Serving.Grammar.Schemas;

/// <summary>
/// A JSON schema (draft 2020-12, and the older spellings in use) as a grammar of texts that are valid by it. Every set of subschemas that
/// must hold together becomes a rule, so that references may form circles.
/// </summary>
sealed class SchemaReader
{
    static readonly EqualityComparer<SchemaPlace> SamePlace =
        EqualityComparer<SchemaPlace>.Create((a, b) => (a.Kind, a.Path) == (b.Kind, b.Path), place => place.Path.GetHashCode(StringComparison.Ordinal));

    readonly GrammarLimits _limits;
    readonly SchemaReferences _references;
    readonly Dictionary<string, Definition> _known = [];
    Queue<(Definition Rule, ImmutableArray<SchemaPlace> Places)> _open = [];

    readonly Dictionary<SchemaPlace, int> _numbers = new(SamePlace);
    int _looked;

    SchemaReader(JsonElement root, GrammarLimits limits) => (_references, _limits) = (new(root), limits);

    public GrammarLimits Limits => _limits;

    /// <summary>The texts that are valid by some places of a schema together.</summary>
    public static Expr Read(JsonElement root, ImmutableArray<SchemaPlace> places, GrammarLimits limits)
    {
        try
        {
            return new SchemaReader(root, limits).ReadAll(places);
        }
        catch (InvalidOperationException)
        {
            throw new GrammarException("The schema holds text that is not valid Unicode.");
        }
    }

    Expr ReadAll(ImmutableArray<SchemaPlace> places)
    {
        var root = Of(places);
        while (_open.TryDequeue(out var next))
            next.Rule.Body = Build(next.Places);
        return root;
    }

    /// <summary>A value for which all of these hold, with all of its rules defined: of strings, which call no rule that calls them.</summary>
    public Expr Now(ImmutableArray<SchemaPlace> places)
    {
        var later = _open;
        _open = [];
        var whole = ReadAll(places);
        _open = later;
        return whole;
    }

    /// <summary>The values of enum and const that may stand at some places, or null where others may, too.</summary>
    public List<JsonElement>? Values(ImmutableArray<SchemaPlace> places)
    {
        var flat = new List<SchemaPlace>();
        return !places.All(place => Flatten(place, flat, [])) ? []
            : flat.Exists(IsChoice) ? null
            : new SchemaFacts(flat).Allowed();
    }

    /// <summary>A value for which all of these hold.</summary>
    public Expr Of(ImmutableArray<SchemaPlace> places)
    {
        if (places.IsEmpty)
            return JsonText.Value.Called();
        var key = string.Join(',', places.Select(NumberOf).Distinct().Order());
        if (_known.TryGetValue(key, out var rule))
            return rule.Called();
        if (_known.Count >= _limits.Rules)
            throw new GrammarException($"The schema has more than {_limits.Rules} parts, counted as often as they are combined with others.");
        _known[key] = rule = new(places[0].Path.Length == 0 ? "schema" : places[0].Path);
        _open.Enqueue((rule, places));
        return rule.Called();
    }

    int NumberOf(SchemaPlace place)
    {
        if (!_numbers.TryGetValue(place, out var number))
            _numbers[place] = number = _numbers.Count;
        return number;
    }

    Expr Build(ImmutableArray<SchemaPlace> places)
    {
        var flat = new List<SchemaPlace>();
        foreach (var place in places)
            if (!Flatten(place, flat, []))
                return Expr.Nothing;
        if (flat.Count == 0)
            return JsonText.Value.Called();
        var group = flat.FindIndex(IsChoice);
        if (group < 0)
            return new SchemaFacts(flat).ToExpr(this);
        var (alternatives, rest) = (flat[group], flat.Where((_, i) => i != group).ToList());
        if (alternatives.Kind == PlaceKind.Case)
            return Expr.OneOf([Of([.. rest, .. Case(alternatives, PlaceKind.Schema, "then")]), Of([.. rest, .. Case(alternatives, PlaceKind.Not, "else")])]);
        var branches = Branches(alternatives).ToList();
        if (alternatives.Kind == PlaceKind.OneOf)
            new SchemaOverlap(_references).Check(alternatives, branches);
        return Expr.OneOf([.. branches.Select(branch => Of([.. rest, branch]))]);
    }

    static bool IsChoice(SchemaPlace place) => place.Kind is PlaceKind.AnyOf or PlaceKind.OneOf or PlaceKind.Case;

    /// <summary>What holds where the condition of a schema does, or where it does not.</summary>
    static IEnumerable<SchemaPlace> Case(SchemaPlace place, PlaceKind condition, string outcome)
    {
        yield return place.Below("if", place.Json.GetProperty("if"), condition);
        if (place.Json.TryGetProperty(outcome, out var schema))
            yield return place.Below(outcome, schema);
    }

    /// <summary>Lists what a place says, with all that it refers to; false where nothing can be valid by it.</summary>
    bool Flatten(SchemaPlace place, List<SchemaPlace> flat, ImmutableHashSet<string> within)
    {
        if (place.Kind is not (PlaceKind.Schema or PlaceKind.Not))
            return Listed(place, flat);
        if (place.Json.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return place.Json.ValueKind == JsonValueKind.True == (place.Kind == PlaceKind.Schema);
        var name = place.Path.Length == 0 ? "schema" : place.Path;
        if (place.Json.ValueKind != JsonValueKind.Object)
            throw new GrammarException($"'{name}' must be an object, true or false.");
        if (within.Contains(place.Path))
            throw new GrammarException($"'{name}' refers to itself and to nothing else.");
        if (++_looked > 10 * _limits.Rules)
            throw new GrammarException($"The schema has more than {10 * _limits.Rules} parts, counted as often as others refer to them.");
        if (within.Count > _limits.Depth || place.Path.Count(c => c == '.') > 4 * _limits.Depth)
            throw new GrammarException($"The schema nests more than {_limits.Depth} levels.");
        if (place.Kind == PlaceKind.Not)
            return Failed(place, flat);
        foreach (var keyword in SchemaKeywords.Refused)
            if (place.Json.TryGetProperty(keyword, out _))
                throw place.Unsupported(keyword);
        // References below an identifier of its own would mean places of that schema, not of the whole.
        if (place.Path.Length > 0 && place.Json.TryGetProperty("$id", out var id) && place.Json.GetRawText().Contains("\"$ref\""))
            throw place.Unsupported("$id above references");
        if (place.Json.TryGetProperty("anyOf", out var any))
            Listed(place.Below("anyOf", any, PlaceKind.AnyOf), flat);
        if (place.Json.TryGetProperty("oneOf", out var one))
            Listed(place.Below("oneOf", one, PlaceKind.OneOf), flat);
        foreach (var dependency in Dependencies.Of(place))
            Listed(dependency, flat);
        if (place.Json.TryGetProperty("if", out _) && (place.Json.TryGetProperty("then", out _) || place.Json.TryGetProperty("else", out _)))
            Listed(place with { Kind = PlaceKind.Case }, flat);
        Listed(place with { Kind = PlaceKind.Assertions }, flat);
        List<SchemaPlace> others = place.Json.TryGetProperty("allOf", out var all) ? [.. Branches(place.Below("allOf", all))] : [];
        if (place.Json.TryGetProperty("$ref", out _))
            others.Add(_references.Resolve(place));
        if (place.Json.TryGetProperty("not", out var not))
            others.Add(place.Below("not", not, PlaceKind.Not));
        return others.TrueForAll(other => Flatten(other, flat, within.Add(place.Path)));
    }

    /// <summary>Lists how a schema may fail; false where it cannot.</summary>
    bool Failed(SchemaPlace place, List<SchemaPlace> flat)
    {
        if (Negation.IsPlain(place.Json))
            return Listed(place, flat);
        var ways = Negation.Of(place, _references);
        return ways.GetArrayLength() > 0 && Listed(place with { Kind = PlaceKind.AnyOf, Json = ways }, flat);
    }

    static bool Listed(SchemaPlace place, List<SchemaPlace> flat)
    {
        if (!flat.Contains(place, SamePlace))
            flat.Add(place);
        return true;
    }

    static IEnumerable<SchemaPlace> Branches(SchemaPlace list) =>
        list.Json.ValueKind == JsonValueKind.Array && list.Json.GetArrayLength() > 0
            ? list.Json.EnumerateArray().Select((schema, i) => list.Below($"{i}", schema))
            : throw new GrammarException($"'{list.Path}' must be a list of schemas.");
}
