using System.Text.Json;
using System.Text.RegularExpressions;
using Serving.Grammar;
using Serving.Grammar.Expressions;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>The calls of some tools as a grammar, spelled as a format's models spell them.</summary>
sealed partial class ToolGrammar(ToolFormat format)
{
    /// <summary>Calls after which no further one may come.</summary>
    const int MostCalls = 16;

    /// <summary>One call of one of the tools, or several where that is allowed.</summary>
    public Expr Calls(IReadOnlyList<ToolDefinition> tools, bool several)
    {
        var one = Expr.OneOf(tools.Select(tool => Pattern(format.Call, tool)));
        return Expr.Of(Text(format.Opens), one, Expr.Times(Expr.Of(Text(format.Between), one), 0, several ? MostCalls - 1 : 0), Text(format.Closes));
    }

    Expr Pattern(string pattern, ToolDefinition tool) =>
        Expr.Of([.. ToolPattern.Parse(pattern).Select(piece => piece.Literal is { } literal ? Text(literal) : Hole(piece.Hole, tool))]);

    Expr Hole(string hole, ToolDefinition tool) => hole switch
    {
        "name" => Expr.Text(tool.Name),
        "arguments" => Arguments(tool),
        "number" => GrammarSources.Regex("0|[1-9][0-9]{0,2}"),
        "call" => Expr.Of(Expr.Text($"{{\"name\": \"{tool.Name}\", \"{format.ArgumentsKey}\": "), Arguments(tool), Expr.Text("}")),
        "pairs" => Pairs(tool),
        _ => Expr.Empty,
    };

    /// <summary>The arguments, always an object.</summary>
    static Expr Arguments(ToolDefinition tool) => tool.Parameters is not { } schema ? GrammarSources.JsonObject
        : Read(tool.Path, () => GrammarSources.JsonObjects(schema));

    /// <summary>The arguments one by one, in the order of the schema; those that are not required may be missing.</summary>
    Expr Pairs(ToolDefinition tool)
    {
        if (tool.Parameters is not { } schema || Member(schema, "properties") is not { ValueKind: JsonValueKind.Object } properties)
            return Expr.Empty;
        var required = Member(schema, "required") is { ValueKind: JsonValueKind.Array } names
            ? names.EnumerateArray().Where(name => name.ValueKind == JsonValueKind.String).Select(name => name.GetString()).ToHashSet() : [];
        return Expr.Of([.. properties.EnumerateObject().Select(property =>
            Pair(tool, schema, property) is var pair && required.Contains(property.Name) ? pair : pair.OrEmpty())]);
    }

    Expr Pair(ToolDefinition tool, JsonElement schema, JsonProperty property)
    {
        var pieces = ToolPattern.Parse(format.Pair);
        var close = pieces[^1].Literal!;
        var value = ToolDefinition.IsText(property.Value) && Member(property.Value, "enum") is null
            ? GrammarSources.Until(close.Trim())
            : Expr.Of(Value(tool, schema, property), Text(close.TrimEnd()));
        var after = close[close.TrimEnd().Length..];
        return Expr.Of(Text(pieces[0].Literal!), Expr.Text(property.Name), Text(pieces[2].Literal!), value, Expr.Text(after));
    }

    static Expr Value(ToolDefinition tool, JsonElement schema, JsonProperty property)
    {
        if (ToolDefinition.IsText(property.Value) && Member(property.Value, "enum") is { ValueKind: JsonValueKind.Array } values)
            return Expr.OneOf(values.EnumerateArray().Where(value => value.ValueKind == JsonValueKind.String).Select(value => Expr.Text(value.GetString()!)));
        return Read(tool.Path, () => GrammarSources.JsonProperty(schema, property.Name));
    }

    static JsonElement? Member(JsonElement schema, string name) =>
        schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty(name, out var member) ? member : null;

    static Expr Read(string path, Func<Expr> read)
    {
        try
        {
            return read();
        }
        catch (GrammarException error)
        {
            throw ApiException.Invalid(path, "invalid_value", $"'{path}' cannot be served: {error.Message}");
        }
    }

    /// <summary>Literal text, its tags as control tokens where the vocabulary has them.</summary>
    static Expr Text(string literal)
    {
        var parts = new List<Expr>();
        var at = 0;
        foreach (Match tag in Tag().Matches(literal))
        {
            parts.Add(Expr.Text(literal[at..tag.Index]));
            parts.Add(Expr.Marker(tag.Value));
            at = tag.Index + tag.Length;
        }
        parts.Add(Expr.Text(literal[at..]));
        return Expr.Of([.. parts]);
    }

    [GeneratedRegex(@"<[^<>\s]+>|\[[A-Z_]+\]")]
    private static partial Regex Tag();
}
