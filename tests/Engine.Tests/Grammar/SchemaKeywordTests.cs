using System.Text.Json.Nodes;
using Serving.Grammar;
using Serving.Grammar.Schemas;

namespace Serving.Tests;

/// <summary>Every keyword of JSON Schema is held to, refused by name, or says nothing of validity.</summary>
public sealed class SchemaKeywordTests
{
    static readonly GrammarCompiler Compiler = GrammarLab.Compiler();

    /// <summary>The keywords of the drafts 4, 6, 7, 2019-09 and 2020-12, from their vocabularies; those of <c>$data</c> and hyper-schemas are none of validation.</summary>
    const string Published = """
        $id $schema $ref $anchor $dynamicRef $dynamicAnchor $vocabulary $comment $defs $recursiveRef $recursiveAnchor id definitions
        prefixItems items contains additionalItems properties patternProperties additionalProperties propertyNames
        dependentSchemas dependencies dependentRequired if then else allOf anyOf oneOf not unevaluatedItems unevaluatedProperties
        type const enum multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern
        maxItems minItems uniqueItems maxContains minContains maxProperties minProperties required
        format contentEncoding contentMediaType contentSchema title description default deprecated readOnly writeOnly examples
        """;

    /// <summary>For every keyword that answers are held to: a schema, a value that is valid by it, and one that is valid without the keyword alone.</summary>
    public static TheoryData<string, string, string, string> HeldKeywords => new()
    {
        { "type", """{"type": "string"}""", "\"a\"", "1" },
        { "enum", """{"enum": [1, "a"]}""", "1", "2" },
        { "const", """{"const": {"a": 1}}""", "{\"a\":1}", "{}" },
        { "allOf", """{"allOf": [{"type": "integer"}, {"minimum": 3}]}""", "3", "2" },
        { "anyOf", """{"anyOf": [{"type": "integer"}, {"type": "null"}]}""", "null", "true" },
        { "oneOf", """{"oneOf": [{"type": "integer"}, {"type": "null"}]}""", "null", "true" },
        { "not", """{"type": ["integer", "null"], "not": {"type": "null"}}""", "1", "null" },
        { "if", """{"type": "integer", "if": {"minimum": 5}, "then": {"maximum": 7}}""", "4", "8" },
        { "then", """{"type": "integer", "if": {"minimum": 5}, "then": {"maximum": 7}}""", "6", "8" },
        { "else", """{"type": "integer", "if": {"minimum": 5}, "else": {"minimum": 3}}""", "3", "2" },
        { "$ref", """{"$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}}""", "null", "1" },
        { "dependentRequired", """{"properties": {"a": {}, "b": {}}, "dependentRequired": {"a": ["b"]}}""", "{\"b\":1}", "{\"a\":1}" },
        { "dependentSchemas", """{"properties": {"a": {}, "b": {}}, "dependentSchemas": {"a": {"minProperties": 2}}}""", "{\"a\":1,\"b\":1}", "{\"a\":1}" },
        { "dependencies", """{"properties": {"a": {}, "b": {}}, "dependencies": {"a": ["b"]}}""", "{\"a\":1,\"b\":1}", "{\"a\":1}" },
        { "properties", """{"properties": {"a": {"type": "null"}}, "additionalProperties": true}""", "{\"a\":null}", "{\"a\":1}" },
        { "required", """{"properties": {"a": {}}, "required": ["a"]}""", "{\"a\":1}", "{}" },
        { "additionalProperties", """{"additionalProperties": {"type": "null"}}""", "{\"a\":null}", "{\"a\":1}" },
        { "patternProperties", """{"patternProperties": {"^a": {"type": "null"}}}""", "{\"ab\":null}", "{\"ab\":1}" },
        { "propertyNames", """{"propertyNames": {"maxLength": 1}}""", "{\"a\":1}", "{\"ab\":1}" },
        { "minProperties", """{"type": "object", "minProperties": 1}""", "{\"a\":1}", "{}" },
        { "maxProperties", """{"type": "object", "maxProperties": 1}""", "{\"a\":1}", "{\"a\":1,\"b\":1}" },
        { "items", """{"type": "array", "items": {"type": "null"}}""", "[null]", "[1]" },
        { "prefixItems", """{"type": "array", "prefixItems": [{"type": "null"}]}""", "[null]", "[1]" },
        { "additionalItems", """{"type": "array", "items": [{}], "additionalItems": {"type": "null"}}""", "[1,null]", "[1,1]" },
        { "minItems", """{"type": "array", "minItems": 1}""", "[1]", "[]" },
        { "maxItems", """{"type": "array", "maxItems": 1}""", "[1]", "[1,1]" },
        { "uniqueItems", """{"items": {"enum": [1, 2]}, "uniqueItems": true}""", "[2,1]", "[1,1]" },
        { "pattern", """{"pattern": "^a"}""", "\"ab\"", "\"b\"" },
        { "format", """{"format": "ipv4"}""", "\"127.0.0.1\"", "\"b\"" },
        { "minLength", """{"minLength": 1}""", "\"b\"", "\"\"" },
        { "maxLength", """{"maxLength": 1}""", "\"b\"", "\"bb\"" },
        { "minimum", """{"minimum": 1}""", "1", "0" },
        { "maximum", """{"maximum": 1}""", "1", "2" },
        { "exclusiveMinimum", """{"exclusiveMinimum": 1}""", "2", "1" },
        { "exclusiveMaximum", """{"exclusiveMaximum": 1}""", "0", "1" },
        { "multipleOf", """{"multipleOf": 3}""", "9", "10" },
    };

    [Theory, MemberData(nameof(HeldKeywords))]
    public void An_assertion_is_held(string keyword, string schema, string valid, string invalid)
    {
        var (with, without) = (JsonNode.Parse(schema)!.AsObject(), JsonNode.Parse(schema)!.AsObject());
        Assert.True(without.Remove(keyword));
        Assert.True(GrammarLab.Fits(Compiler.Compile(GrammarLab.Schema(with.ToJsonString())), valid));
        Assert.False(GrammarLab.Fits(Compiler.Compile(GrammarLab.Schema(with.ToJsonString())), invalid));
        Assert.True(keyword == "if" || GrammarLab.Fits(Compiler.Compile(GrammarLab.Schema(without.ToJsonString())), invalid), "The keyword makes no difference.");
    }

    [Fact]
    public void An_assertion_that_cannot_be_held_is_refused_by_name_wherever_it_stands()
    {
        foreach (var keyword in SchemaKeywords.Refused)
            foreach (var (schema, path) in new[] { ("{K}", ""), ("""{"properties": {"a": {K}}}""", "properties.a."), ("""{"not": {K}}""", "not."), ("""{"if": {K}, "then": {}}""", "if.") })
                Assert.Contains($"'{path}{keyword}' is not supported",
                    Assert.Throws<GrammarException>(() => Compiler.Compile(GrammarLab.Schema(schema.Replace("K", $"\"{keyword}\": {{}}")))).Message);
    }

    [Fact]
    public void What_asserts_nothing_changes_nothing()
    {
        foreach (var keyword in SchemaKeywords.Silent)
        {
            var grammar = Compiler.Compile(GrammarLab.Schema($$$"""{"type": "integer", "{{{keyword}}}": "x", "allOf": [{"maximum": 5, "{{{keyword}}}": "y"}], "not": {"const": 3, "{{{keyword}}}": "z"}}"""));
            Assert.All((string[])["5", "-1"], text => Assert.True(GrammarLab.Fits(grammar, text), keyword));
            Assert.All((string[])["6", "3", "\"x\""], text => Assert.False(GrammarLab.Fits(grammar, text), keyword));
        }
    }

    [Fact]
    public void Every_keyword_of_the_specifications_is_held_refused_or_silent()
    {
        var known = SchemaKeywords.Held.Concat(SchemaKeywords.Refused).Concat(SchemaKeywords.Silent).ToList();
        Assert.Equal(Published.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Order(), known.Order());
        Assert.Equal(known.Distinct().Count(), known.Count);
        Assert.Equal(SchemaKeywords.Held.Order(), HeldKeywords.Select(row => row.Data.Item1).Order());
    }
}
