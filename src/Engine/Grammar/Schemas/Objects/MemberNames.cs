using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Serving.Grammar.Automata;
using Serving.Grammar.Expressions;
using Serving.Grammar.Patterns;

namespace Serving.Grammar.Schemas;

/// <summary>
/// What schemas say of the names of an object's members: propertyNames, and patternProperties, which speak of the values under some names. Both
/// are regular, so names are cut into classes that the same patterns match.
/// </summary>
sealed class MemberNames
{
    /// <summary>So many classes of names get a rule each; every pattern may double them.</summary>
    const int MostClasses = 64;

    static readonly JsonElement AnyString = JsonElement.Parse("""{"type": "string"}"""u8);

    sealed record Pattern(SchemaPlace Owner, SchemaPlace Value, RegularSet Names);

    readonly List<SchemaPlace> _places;
    readonly SchemaReader _reader;
    readonly List<Pattern> _patterns;
    readonly RegularSet? _allowed;

    public MemberNames(List<SchemaPlace> places, SchemaReader reader)
    {
        (_places, _reader) = (places, reader);
        _patterns = [.. places.SelectMany(Patterns)];
        foreach (var place in places)
            if (place.Json.TryGetProperty("propertyNames", out var names))
                _allowed = Names(place.Below("propertyNames", names)) is var own && _allowed is null ? own : _allowed!.And(own);
    }

    /// <summary>Whether they say anything.</summary>
    public bool Any => _allowed is not null || _patterns.Count > 0;

    /// <summary>Whether a member may have this name.</summary>
    public bool Allows(string name) => _allowed?.Contains(Bytes(name)) ?? true;

    /// <summary>What a schema's patterns say of the value under a name.</summary>
    public ImmutableArray<SchemaPlace> Matching(SchemaPlace owner, string name) =>
        [.. _patterns.Where(pattern => pattern.Owner.Path == owner.Path && pattern.Names.Contains(Bytes(name))).Select(pattern => pattern.Value)];

    /// <summary>A member under any name but some; null where there is none.</summary>
    /// <param name="named">Names that the schemas list.</param>
    /// <param name="isClosed">Whether names that no schema speaks of may not be there.</param>
    public Expr? Others(IEnumerable<string> named, bool isClosed)
    {
        var open = (_allowed ?? All()).Except(RegularSet.Of(Expr.OneOf(named.Distinct().Select(name => Expr.Text(JsonText.SpellInString(name)))), _reader.Limits));
        var classes = new List<(RegularSet Names, ImmutableArray<Pattern> Matched)> { (open, []) };
        foreach (var pattern in _patterns)
        {
            classes = [.. classes.SelectMany(c => new[] { (c.Names.And(pattern.Names), c.Matched.Add(pattern)), (c.Names.Except(pattern.Names), c.Matched) }).Where(c => !c.Item1.IsEmpty)];
            if (classes.Count > MostClasses)
                throw pattern.Owner.Unsupported($"patternProperties with more than {MostClasses} ways in which patterns overlap");
        }
        var members = (from one in classes
                       let value = Value(one.Matched, isClosed || _patterns.Count > 0)
                       where value is not null && !one.Names.IsEmpty
                       select Expr.Of(one.Names.ToExpr(), JsonText.Colon, value)).ToList();
        return members.Count == 0 ? null : Expr.OneOf(members);
    }

    /// <summary>The value under a name that no schema lists and these patterns match; null where it may not be.</summary>
    Expr? Value(ImmutableArray<Pattern> matched, bool isClosed)
    {
        var found = matched.Select(pattern => pattern.Value).ToList();
        var isGiven = found.Count > 0 || !isClosed;
        foreach (var place in _places)
        {
            if (matched.Any(pattern => pattern.Owner.Path == place.Path) || !place.Json.TryGetProperty("additionalProperties", out var others))
                continue;
            isGiven = true;
            found.Add(place.Below("additionalProperties", others));
        }
        return !isGiven || found.Exists(place => place.Json.ValueKind == JsonValueKind.False) ? null
            : _reader.Of([.. found.Where(place => place.Json.ValueKind != JsonValueKind.True)]);
    }

    IEnumerable<Pattern> Patterns(SchemaPlace place)
    {
        if (!place.Json.TryGetProperty("patternProperties", out var patterns))
            yield break;
        if (patterns.ValueKind != JsonValueKind.Object)
            throw place.Wrong("patternProperties", "an object");
        foreach (var pattern in patterns.EnumerateObject())
        {
            var value = place.Below($"patternProperties.{pattern.Name}", pattern.Value);
            yield return new(place, value, RegularSet.Of(StringSchema.Matched(value, pattern.Name, _reader.Limits), _reader.Limits));
        }
    }

    /// <summary>The names that are valid by a schema, in quotes, each character spelled in one way.</summary>
    RegularSet Names(SchemaPlace place) =>
        All().And(RegularSet.Of(_reader.Now([place, SchemaPlace.Of(AnyString, place.Path + ".type")]), _reader.Limits));

    RegularSet All() => RegularSet.Of(StringSchema.OfLength(0, null), _reader.Limits);

    static byte[] Bytes(string name) => Encoding.UTF8.GetBytes(JsonText.SpellInString(name));
}
