using System.Text.Json;
using Serving.Grammar.Expressions;
using Serving.Grammar.Patterns;

namespace Serving.Grammar.Schemas;

/// <summary>Strings: a length in characters, or a pattern, or one of the formats of RFC 3339, 4122, 5321 and their like.</summary>
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

    public static Expr Of(List<SchemaPlace> places, GrammarLimits limits)
    {
        var min = Counts.Most(places, "minLength");
        var max = Counts.Least(places, "maxLength");
        var patterns = places.SelectMany(place => Patterns(place)).ToList();
        if (patterns.Count == 0)
            return min is null && max is null ? JsonText.String.Called()
                : max < min ? Expr.Nothing
                : JsonText.Quoted(Expr.Times(JsonText.Character.Called(), min ?? 0, max));
        var (at, keyword, pattern) = patterns[0];
        if (patterns.Count > 1)
            throw patterns[1].Place.Unsupported($"{patterns[1].Keyword} beside another pattern or format");
        if (min is > 0 || max is not null)
            throw at.Unsupported($"{keyword} beside minLength or maxLength");
        try
        {
            return JsonText.Quoted(RegexReader.Anywhere(pattern, JsonText.InString, limits));
        }
        catch (GrammarException error)
        {
            throw new GrammarException($"'{at.Below(keyword, default).Path}' cannot be served: {error.Message}");
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
