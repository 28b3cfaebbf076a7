using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Serving.Text.Templates.Values;

namespace Serving.Text.Templates;

/// <summary>JSON of a request as values of the template language; all its strings are marked as content.</summary>
static class JsonValues
{
    public static Value Read(JsonElement json, TemplateLimits limits, int depth = 0)
    {
        if (depth > limits.JsonDepth) throw new TemplateException(TemplateFault.Limit,
            $"The JSON of the request nests deeper than {limits.JsonDepth} levels.");
        return json.ValueKind switch
        {
            JsonValueKind.True => Bool.True,
            JsonValueKind.False => Bool.False,
            JsonValueKind.String => Str.Content(Text(json)),
            JsonValueKind.Number => Number(json.GetRawText()),
            JsonValueKind.Array => new ListValue([.. json.EnumerateArray().Select(item => Read(item, limits, depth + 1))]),
            JsonValueKind.Object => Members(json, limits, depth),
            _ => None.Value,
        };
    }

    static Dict Members(JsonElement json, TemplateLimits limits, int depth)
    {
        var dict = new Dict();
        foreach (var member in json.EnumerateObject()) dict.Set(Str.Content(member.Name), Read(member.Value, limits, depth + 1));
        return dict;
    }

    static string Text(JsonElement json)
    {
        try
        {
            return json.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new TemplateException(TemplateFault.Input, "A string of the request holds half of a surrogate pair, which is no text.");
        }
    }

    static Value Number(string digits)
    {
        if (digits.AsSpan().IndexOfAny('.', 'e', 'E') >= 0) return new Float(double.Parse(digits, CultureInfo.InvariantCulture));
        return digits.Length <= 4300 ? Int.Of(BigInteger.Parse(digits, CultureInfo.InvariantCulture))
            : throw new TemplateException(TemplateFault.Limit,
                $"The request holds an integer of {digits.Length} digits; 4300 is the limit.");
    }
}
