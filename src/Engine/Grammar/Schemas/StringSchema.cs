using System.Text;
using System.Text.Json;
using Serving.Grammar.Automata;
using Serving.Grammar.Expressions;
using Serving.Grammar.Patterns;

namespace Serving.Grammar.Schemas;

/// <summary>Strings: a length in characters, patterns, and the formats of RFC 3339, 4122, 5321 and their like; several of them are cut as regular sets.</summary>
static class StringSchema
{
    const string Octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
    const string Day = @"(19|20)[0-9]{2}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
    const string Clock = @"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
    const string Label = "[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?";

    static readonly Dictionary<string, string> Formats = new()
    {
        ["date"] = $"^{Day}$",
        ["time"] = $"^{Clock}$",
        ["date-time"] = $"^{Day}T{Clock}$",
        ["duration"] = @"^P([0-9]{1,4}W|[0-9]{1,4}D(T[0-9]{1,4}H)?|T[0-9]{1,4}H([0-9]{1,4}M)?|T[0-9]{1,4}[MS])$",
        ["email"] = $@"^[A-Za-z0-9_+-]{{1,32}}(\.[A-Za-z0-9_+-]{{1,32}}){{0,3}}@{Label}(\.{Label}){{1,4}}$",
        ["hostname"] = $@"^{Label}(\.{Label}){{0,5}}$",
        ["ipv4"] = $@"^{Octet}(\.{Octet}){{3}}$",
        ["ipv6"] = "^([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}$",
        ["uuid"] = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
        ["uri"] = @"^https?://[A-Za-z0-9]([A-Za-z0-9.-]{0,60}[A-Za-z0-9])?(:[0-9]{1,4})?(/[A-Za-z0-9._~%!$&'()*+,;=:@/-]{0,200})?$",
    };

    /// <summary>Any character, as an automaton that is small where it is repeated.</summary>
    static readonly Expr AnyCharacter = RegularSet.Of(JsonText.InString(CharSet.All), new()).ToExpr();

    public static Expr Of(List<SchemaPlace> places, IReadOnlyList<Expr> excluded, GrammarLimits limits)
    {
        var min = Counts.Most(places, "minLength");
        var max = Counts.Least(places, "maxLength");
        if (max < min)
            return Expr.Nothing;
        var patterns = places.SelectMany(Patterns).ToList();
        List<Expr> all = [.. patterns.Select(p => Matched(p.Place.Below(p.Keyword, default), p.Pattern, limits))];
        if (excluded.Count > 0 || all.Count > 0 && (min > 0 || max is not null))
            all.Add(OfLength(min ?? 0, max));
        if (all.Count == 0)
            return min is null && max is null ? JsonText.String.Called() : JsonText.Quoted(Expr.Times(JsonText.Character.Called(), min ?? 0, max));
        if (all.Count == 1 && excluded.Count == 0)
            return all[0];
        try
        {
            var sets = all.Select(text => RegularSet.Of(text, limits)).Aggregate((a, b) => a.And(b));
            return sets.Except(RegularSet.Of(Expr.OneOf(excluded), limits)).ToExpr();
        }
        catch (GrammarException error)
        {
            throw new GrammarException($"The string '{(places[0].Path.Length == 0 ? "schema" : places[0].Path)}' cannot be served with all that holds for it: {error.Message}");
        }
    }

    /// <summary>Whether a string is one of them.</summary>
    public static bool Holds(List<SchemaPlace> places, string text) => text.EnumerateRunes().Count() is var length
        && !(length < Counts.Most(places, "minLength")) && !(length > Counts.Least(places, "maxLength"))
        && places.SelectMany(Patterns).All(p => Matches(p.Place.Below(p.Keyword, default), p.Pattern, text));

    /// <summary>Whether a pattern matches a string somewhere.</summary>
    public static bool Matches(SchemaPlace place, string pattern, string text)
    {
        var limits = new GrammarLimits();
        return RegularSet.Of(Matched(place, pattern, limits), limits).Contains(Encoding.UTF8.GetBytes(JsonText.SpellInString(text)));
    }

    /// <summary>Strings of so many characters, each spelled as <see cref="JsonText.InString"/> does.</summary>
    public static Expr OfLength(int min, int? max) => JsonText.Quoted(Expr.Times(AnyCharacter, min, max));

    /// <summary>Strings that a pattern matches somewhere, each character spelled as <see cref="JsonText.InString"/> does.</summary>
    public static Expr Matched(SchemaPlace place, string pattern, GrammarLimits limits)
    {
        try
        {
            return JsonText.Quoted(RegexReader.Anywhere(pattern, JsonText.InString, limits));
        }
        catch (GrammarException error)
        {
            throw new GrammarException($"'{place.Path}' cannot be served: {error.Message}");
        }
    }

    static IEnumerable<(SchemaPlace Place, string Keyword, string Pattern)> Patterns(SchemaPlace place)
    {
        if (place.Json.TryGetProperty("pattern", out var pattern))
            yield return (place, "pattern", pattern.ValueKind == JsonValueKind.String ? pattern.GetString()! : throw place.Wrong("pattern", "a string"));
        if (!place.Json.TryGetProperty("format", out var format))
            yield break;
        var name = format.ValueKind == JsonValueKind.String ? format.GetString()! : throw place.Wrong("format", "a string");
        yield return (place, "format", Formats.TryGetValue(name, out var known) ? known
            : throw new GrammarException($"'{place.Below("format", format).Path}' is '{name}', which is not supported; {string.Join(", ", Formats.Keys)} are."));
    }
}
