using System.Text.Json;
using System.Text.RegularExpressions;
using Serving.Grammar;
using Serving.Grammar.Expressions;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>What the text of an answer is held to.</summary>
/// <param name="Param">The field that asks for it.</param>
/// <param name="Key">The same for requests that ask for the same.</param>
/// <param name="Read">Reads what the field holds.</param>
sealed partial record AnswerShape(string Param, string Key, Func<Expr> Read)
{
    const int MaxChoices = 10_000;

    /// <summary>The shape that a request's fields ask for, in OpenAI's spelling or in vLLM's; null for free text.</summary>
    public static AnswerShape? Of(RequestReader read)
    {
        read.Accept("guided_decoding_backend");
        read.Refuse("guided_whitespace_pattern");
        var shapes = OfFormat(read).Concat(OfStructured(read)).Concat(OfGuided(read)).ToList();
        return shapes.Count <= 1 ? shapes.FirstOrDefault() : throw ApiException.Invalid(shapes[1].Param, "invalid_parameter_combination",
            $"'{shapes[0].Param}' and '{shapes[1].Param}' both say what the answer must be; give one of them.");
    }

    /// <summary>Compiles the shape; what cannot be served is a 400 that says why.</summary>
    public CompiledGrammar Compile(ServedModel model)
    {
        if (model.Grammars is not { } grammars)
            throw ApiException.Unsupported(Param, "This model has no tokenizer, so its answers cannot be held to a text's form.");
        try
        {
            return grammars.Compile(Key, Read);
        }
        catch (GrammarException error)
        {
            throw ApiException.Invalid(Param, "invalid_value", $"'{Param}' cannot be served: {error.Message}");
        }
    }

    static IEnumerable<AnswerShape> OfFormat(RequestReader read)
    {
        if (read.Object("response_format") is not { } format)
            yield break;
        switch (format.Required("type").AsOneOf("text", "json_object", "json_schema"))
        {
            case "json_object":
                yield return JsonObject("response_format");
                break;
            case "json_schema":
                yield return OfSchema(format.Object("json_schema") ?? throw ApiException.Missing(format.PathOf("json_schema")));
                break;
        }
    }

    static AnswerShape OfSchema(RequestReader format)
    {
        var name = format.Required("name").AsString();
        if (!Name().IsMatch(name))
            throw ApiException.Invalid(format.PathOf("name"), "invalid_value",
                $"'{format.PathOf("name")}' is '{RequestValue.Shortened(name)}'; names have 1 to 64 letters, digits, underscores and hyphens.");
        format.String("description");
        format.Flag("strict");
        return format.Find("schema") is { } schema ? Schema(schema) : JsonObject(format.PathOf("schema"));
    }

    static IEnumerable<AnswerShape> OfStructured(RequestReader read)
    {
        if (read.Object("structured_outputs") is not { } asked)
            yield break;
        asked.Refuse("structural_tag", "whitespace_pattern");
        asked.Accept("disable_fallback", "disable_any_whitespace", "disable_additional_properties");
        foreach (var shape in Members(asked, ""))
            yield return shape;
        if (asked.Flag("json_object") == true)
            yield return JsonObject(asked.PathOf("json_object"));
    }

    static IEnumerable<AnswerShape> OfGuided(RequestReader read) => Members(read, "guided_");

    static IEnumerable<AnswerShape> Members(RequestReader read, string prefix)
    {
        if (read.Find(prefix + "json") is { } schema)
            yield return Schema(schema);
        if (read.Find(prefix + "regex") is { } regex)
            yield return Text(regex, pattern => GrammarSources.Regex(pattern));
        if (read.Find(prefix + "grammar") is { } grammar)
            yield return Text(grammar, text => GrammarSources.Gbnf(text));
        if (read.List(prefix + "choice", 1, MaxChoices) is { } choices)
        {
            var texts = choices.Select(choice => choice.AsString()).ToList();
            yield return new(read.PathOf(prefix + "choice"), $"choice {string.Join('\0', texts)}", () => Expr.OneOf(texts.Select(Expr.Text)));
        }
    }

    static AnswerShape Schema(RequestValue value)
    {
        var schema = value.IsString ? Parsed(value) : value.Element;
        if (schema.ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False))
            throw value.WrongType("a JSON schema");
        return new(value.Path, $"schema {schema.GetRawText()}", () => GrammarSources.JsonSchema(schema));
    }

    static JsonElement Parsed(RequestValue value)
    {
        try
        {
            return JsonElement.Parse(value.AsString());
        }
        catch (JsonException)
        {
            throw ApiException.Invalid(value.Path, "invalid_value", $"'{value.Path}' is a text that holds no JSON schema.");
        }
    }

    static AnswerShape Text(RequestValue value, Func<string, Expr> read)
    {
        var text = value.AsString();
        return new(value.Path, $"{value.Path} {text}", () => read(text));
    }

    static AnswerShape JsonObject(string param) => new(param, "json object", () => GrammarSources.JsonObject);

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,64}\z")]
    private static partial Regex Name();
}
