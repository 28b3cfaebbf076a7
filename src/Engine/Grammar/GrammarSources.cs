using System.Text.Json;
using Serving.Grammar.Expressions;
using Serving.Grammar.Patterns;
using Serving.Grammar.Schemas;

namespace Serving.Grammar;

/// <summary>What grammars are written in by those who ask for them; what cannot be served is a <see cref="GrammarException"/> that says why.</summary>
public static class GrammarSources
{
    static readonly GrammarLimits Default = new();

    static readonly JsonElement AnyObject = JsonElement.Parse("""{"type": "object"}"""u8);

    /// <summary>Any JSON object.</summary>
    public static Expr JsonObject => JsonText.Object.Called();

    /// <summary>JSON that is valid by a schema.</summary>
    public static Expr JsonSchema(JsonElement schema, GrammarLimits? limits = null) =>
        SchemaReader.Read(schema, [SchemaPlace.Of(schema, "")], limits ?? Default);

    /// <summary>JSON objects that are valid by a schema, whether or not it asks for objects itself.</summary>
    public static Expr JsonObjects(JsonElement schema) =>
        SchemaReader.Read(schema, [SchemaPlace.Of(schema, ""), SchemaPlace.Of(AnyObject, "an object")], Default);

    /// <summary>JSON that is valid as a property of objects by a schema that names it.</summary>
    public static Expr JsonProperty(JsonElement schema, string name) =>
        SchemaReader.Read(schema, [SchemaPlace.Of(schema.GetProperty("properties").GetProperty(name), $"properties.{name}")], Default);

    /// <summary>A text that a regular expression matches from end to end.</summary>
    public static Expr Regex(string pattern, GrammarLimits? limits = null) => RegexReader.Whole(pattern, limits ?? Default);

    /// <summary>A text of a grammar in llama.cpp's notation.</summary>
    public static Expr Gbnf(string grammar, GrammarLimits? limits = null) => GbnfReader.Read(grammar, limits ?? Default);

    /// <summary>Any text up to the first place where <paramref name="end"/> stands, and the end itself, which may be a control token too.</summary>
    public static Expr Until(string end) => Expr.OneOf([UntilText.Of(end), Expr.Of(UntilText.Any, Expr.Control(end))]);

    /// <summary>White space as JSON texts have it here: bounded.</summary>
    public static Expr Space => JsonText.Space.Called();
}
