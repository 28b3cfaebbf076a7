using System.Diagnostics;
using System.Text.Json;
using Serving.Grammar;
using Serving.Grammar.Expressions;

namespace Serving.Tests;

public sealed class JsonSchemaTests
{
    static readonly GrammarCompiler Compiler = GrammarLab.Compiler();

    [Theory]
    [InlineData("""{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}""",
        "{\"a\":1}|{\"a\": 1, \"b\": \"x\"}|{\n  \"a\": -10,\n\"b\":\"\\u00e9\\n\"\n}", "{}|{\"b\":\"x\",\"a\":1}|{\"a\":1.5}|{\"a\":01}|{\"a\":1,}|{\"a\":1,\"c\":2}")]
    [InlineData("""{"type": "object", "properties": {"ab": {"type": "null"}}, "additionalProperties": {"type": "integer"}}""",
        "{}|{\"ab\":null,\"a\":1,\"abc\":2}|{\"\":3}|{\"b\":1}", "{\"ab\":1}|{\"a\":1,\"ab\":null}|{\"a\":null}|{\"\\u0061b\":1}")]
    [InlineData("""{"type": "array", "prefixItems": [{"const": 1}, {"enum": ["x", null]}], "items": {"type": "boolean"}, "minItems": 1, "maxItems": 4}""",
        "[1]|[1, \"x\"]|[1,null,true,false]", "[]|[2]|[1,true]|[1,null,true,false,true]")]
    [InlineData("""{"items": {"$ref": "#"}}""", "[]|[[],[[]]]|[ [ ] ]", "[1]|[[]|{}")]
    [InlineData("""{"allOf": [{"properties": {"a": {"minimum": 3}}, "required": ["a"]}, {"properties": {"a": {"type": "integer", "maximum": 5}}, "additionalProperties": false}]}""",
        "{\"a\":3}|{\"a\":5}", "{\"a\":2}|{\"a\":6}|{\"a\":4.5}|{\"a\":4,\"b\":1}")]
    [InlineData("""{"type": "object", "properties": {"k": {}}, "anyOf": [{"required": ["x"], "properties": {"x": {"const": 1}}}, {"required": ["y"], "properties": {"y": {"const": 2}}}]}""",
        "{\"x\":1}|{\"k\":[],\"y\":2}", "{}|{\"x\":2}|{\"y\":1}")]
    [InlineData("""{"type": ["integer", "null"], "minimum": -12, "exclusiveMaximum": 105}""", "-12|-1|0|9|10|99|104|null", "-13|105|1000|1.0|true")]
    [InlineData("""{"type": "number", "exclusiveMinimum": 1.25, "maximum": 2.5}""", "1.2501|1.3|2|2.0|2.49|2.5|2.500", "1.25|1.250|1|2.51|2.5001|3|12")]
    [InlineData("""{"type": "number", "minimum": -0.5, "maximum": 0.25}""", "-0.5|-0.4|0|0.25|-0.05", "-0.51|-1|0.26|1")]
    [InlineData("""{"type": "string", "minLength": 2, "maxLength": 3}""", "\"ab\"|\"é😀x\"|\"\\n\\\\\"", "\"a\"|\"abcd\"|\"\\ud83d\\ude00\"")]
    [InlineData("""{"type": "string", "pattern": "^\"[^\\s]\\d$"}""", "\"\\\"a1\"|\"\\\"\\\\9\"", "\"a1\"|\"\\\" 1\"|\"\\\"a12\"")]
    [InlineData("""{"type": "string", "format": "date"}""", "\"2024-02-28\"|\"1999-12-31\"", "\"2024-02-30\"|\"24-01-01\"|\"2024-13-01\"")]
    [InlineData("""{"oneOf": [{"properties": {"t": {"const": "a"}, "v": {"type": "integer"}}, "required": ["t", "v"]}, {"properties": {"t": {"const": "b"}}, "required": ["t"]}]}""",
        "{\"t\":\"a\",\"v\":1}|{\"t\":\"b\"}", "{\"t\":\"a\"}|{\"t\":\"c\"}")]
    [InlineData("""{"$ref": "#/$defs/a~1b/0", "$defs": {"a/b": [{"const": {"k": [1, "é"]}}]}}""", "{\"k\":[1,\"é\"]}", "{\"k\":[1]}")]
    [InlineData("""{"type": "object", "patternProperties": {"^n": {"type": "integer"}, "x$": {"minimum": 5}}, "properties": {"n": {"maximum": 9}}, "additionalProperties": false}""",
        "{}|{\"n\":9}|{\"na\":12,\"zx\":5.5}|{\"nx\":5}", "{\"n\":10}|{\"n\":1.5}|{\"nx\":4}|{\"nx\":5.5}|{\"z\":1}|{\"na\":1,\"n\":2}|{\"\\u006e\":1}")]
    [InlineData("""{"type": "object", "patternProperties": {"^n": {"type": "integer"}}, "additionalProperties": {"type": "null"}}""",
        "{\"n\":1,\"m\":null}|{\"\":null}", "{\"n\":null}|{\"m\":1}")]
    [InlineData("""{"type": "object", "propertyNames": {"enum": ["a", "é", 7]}, "properties": {"a": {"const": 1}, "b": {}}, "additionalProperties": {"type": "null"}}""",
        "{}|{\"a\":1}|{\"a\":1,\"é\":null}", "{\"b\":1}|{\"7\":null}|{\"é\":1}")]
    [InlineData("""{"type": "object", "propertyNames": {"pattern": "^[a-z]+$", "maxLength": 2}}""", "{\"ab\":[1]}|{}", "{\"abc\":1}|{\"A\":1}|{\"\":1}")]
    [InlineData("""{"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}}, "required": ["b"], "minProperties": 2, "maxProperties": 2}""",
        "{\"a\":1,\"b\":2}|{\"b\":2,\"c\":3}", "{\"b\":2}|{\"a\":1,\"b\":2,\"c\":3}|{\"a\":1,\"c\":3}")]
    [InlineData("""{"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": {"type": "integer"}}""",
        "{\"x\":1}|{\"x\":1,\"y\":2}", "{}|{\"x\":1,\"y\":2,\"z\":3}")]
    [InlineData("""{"type": "array", "items": {"enum": ["a", "b", 1, 1.0]}, "uniqueItems": true, "minItems": 1}""", "[\"b\"]|[1,\"b\",\"a\"]", "[]|[\"a\",\"a\"]|[1,1]|[\"c\"]")]
    [InlineData("""{"type": "object", "propertyNames": {"$ref": "#"}}""", "{}", "{\"a\":1}")]
    [InlineData("""{"type": "integer", "multipleOf": 7, "minimum": -20, "maximum": 1000}""", "-14|0|7|994|21", "-21|1|1001|8|7.0|-0.7")]
    [InlineData("""{"type": "number", "multipleOf": 0.05}""", "0.05|-12.1|3|0.30|7.25", "0.01|0.051|1e1|00.05")]
    [InlineData("""{"type": "string", "pattern": "^a", "allOf": [{"pattern": "b$"}, {"minLength": 3}]}""", "\"acb\"|\"a\\nb\"", "\"ab\"|\"acc\"|\"cab\"")]
    [InlineData("""{"type": ["string", "boolean", "null", "integer"], "not": {"enum": ["", "no", true, null]}}""", "\"yes\"|\"nope\"|false|3", "\"\"|\"no\"|true|null")]
    [InlineData("""{"not": {"type": ["object", "number"]}}""", "[1]|\"a\"|null", "{}|1|1.5")]
    [InlineData("true", "{\"a\":[1,2.5e-3,\"\"]}|null", "nul|{\"a\"}|\"\t\"")]
    public void A_schema_takes_what_is_valid_by_it_and_nothing_else(string schema, string valid, string invalid)
    {
        var grammar = Compiler.Compile(GrammarLab.Schema(schema));
        Assert.All(valid.Split('|'), text => Assert.True(GrammarLab.Fits(grammar, text), text));
        Assert.All(invalid.Split('|'), text => Assert.False(GrammarLab.Fits(grammar, text), text));
    }

    [Theory]
    [InlineData("""{"enum": [1, 2.5, 12, "a", "abc", "b1", null, true], "minimum": 2, "multipleOf": 0.5, "minLength": 2, "pattern": "^[ab]"}""", "2.5|12|\"abc\"|\"b1\"|null|true", "1|\"a\"|2")]
    [InlineData("""{"not": {"minimum": 3}}""", "2|-1.5", "3|4|\"a\"|null")]
    [InlineData("""{"type": "integer", "not": {"enum": [0, 2, "x"]}, "minimum": -1, "maximum": 4}""", "-1|1|3|4", "0|-0|2|5")]
    [InlineData("""{"type": "number", "not": {"const": 1}}""", "0.99|1.01|-1|12", "1|1.0|1e0|10e-1")]
    [InlineData("""{"type": "string", "not": {"anyOf": [{"pattern": "^a"}, {"minLength": 4}, {"const": "b"}]}}""", "\"\"|\"c\"|\"bcd\"", "\"a\"|\"abc\"|\"bcde\"|\"b\"|1")]
    [InlineData("""{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "null"}}, "not": {"required": ["a", "b"]}}""",
        "{}|{\"a\":1}|{\"b\":null}", "{\"a\":1,\"b\":null}|{\"a\":\"\"}")]
    [InlineData("""{"type": "object", "properties": {"a": {"type": "integer"}}, "not": {"properties": {"a": {"maximum": 5}}}}""", "{\"a\":6}", "{}|{\"a\":5}")]
    [InlineData("""{"type": "object", "properties": {"a": {"not": {}}, "b": {"const": 1}}}""", "{}|{\"b\":1}", "{\"a\":1}|{\"a\":null,\"b\":1}")]
    [InlineData("""{"type": "array", "items": {"type": "integer"}, "not": {"$ref": "#/$defs/short"}, "$defs": {"short": {"maxItems": 1, "title": "short"}}}""", "[1,2]|[1,2,3]", "[]|[1]")]
    [InlineData("""{"type": "object", "properties": {"kind": {"enum": ["a", "b"]}, "x": {"type": "integer"}, "y": {"type": "string"}}, "required": ["kind"], "if": {"properties": {"kind": {"const": "a"}}}, "then": {"required": ["x"]}, "else": {"required": ["y"], "properties": {"x": false}}}""",
        "{\"kind\":\"a\",\"x\":1}|{\"kind\":\"b\",\"y\":\"\"}|{\"kind\":\"a\",\"x\":1,\"y\":\"z\"}", "{\"kind\":\"a\"}|{\"kind\":\"b\",\"x\":1,\"y\":\"\"}|{\"kind\":\"b\"}|{\"kind\":\"a\",\"y\":\"\"}|{\"x\":1}")]
    [InlineData("""{"type": "object", "properties": {"v": {"type": "integer"}, "w": {"type": "null"}}, "required": ["v"], "if": {"properties": {"v": {"const": 2}}, "required": ["v"]}, "then": {"required": ["w"]}}""",
        "{\"v\":1}|{\"v\":2,\"w\":null}|{\"v\":20,\"w\":null}", "{\"v\":2}|{}")]
    [InlineData("""{"type": "integer", "if": {"minimum": 10}, "else": {"enum": [1, 2]}}""", "1|2|10|99", "3|0|9")]
    [InlineData("""{"type": "boolean", "if": true, "then": {"const": true}, "else": {"const": false}}""", "true", "false")]
    [InlineData("""{"type": "null", "if": {"contains": {}}}""", "null", "0")]
    [InlineData("""{"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}}, "dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"maxProperties": 2}}}""",
        "{}|{\"b\":2}|{\"a\":1,\"b\":2}|{\"b\":2,\"c\":3}", "{\"a\":1}|{\"a\":1,\"b\":2,\"c\":3}|{\"a\":1,\"c\":3}")]
    [InlineData("""{"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}}, "dependencies": {"a": ["b"], "b": {"required": ["a"]}}}""", "{}|{\"a\":1,\"b\":2}", "{\"a\":1}|{\"b\":2}")]
    [InlineData("""{"type": "array", "items": {"enum": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}, "uniqueItems": true, "minItems": 2, "maxItems": 3}""",
        "[1,12]|[3, 4,5]", "[]|[1]|[1,1]|[12,1]|[1,2,3,4]")]
    [InlineData("""{"type": "array", "items": {"enum": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}, "uniqueItems": true}""", "[]|[12]|[1,2,3,4,5,6,7,8,9,10,11,12]", "[2,2]|[2,1]")]
    [InlineData("""{"type": "integer", "multipleOf": 30000}""", "0|30000|-90000|300000", "3000|10000|00000|1")]
    [InlineData("""{"type": "integer", "multipleOf": 3001, "minimum": -3001, "exclusiveMaximum": 9003}""", "-3001|0|3001|6002", "9003|-6002|3000")]
    [InlineData("""{"type": "number", "multipleOf": 0.00000025, "minimum": 0, "maximum": 0.000001}""", "0|0.00000025|0.000001", "0.0000002|0.1")]
    public void What_a_schema_excludes_or_makes_depend_is_held(string schema, string valid, string invalid) =>
        A_schema_takes_what_is_valid_by_it_and_nothing_else(schema, valid, invalid);

    [Theory]
    [InlineData("""{"properties": {"a": {"not": {"items": {}}}}}""", "'properties.a.not.items' is not supported")]
    [InlineData("""{"if": {"format": "date"}, "then": {}}""", "'if.format' is not supported")]
    [InlineData("""{"type": "object", "not": {"const": {}}}""", "'not' is not supported")]
    [InlineData("""{"not": {"type": "string", "minLength": true}}""", "'not.minLength' must be an integer")]
    [InlineData("""{"not": {"required": {}}}""", "'not.required' must be a list")]
    [InlineData("""{"enum": [{"a": 1}], "required": ["b"]}""", "'required beside enum or const' is not supported")]
    [InlineData("""{"dependentRequired": []}""", "'dependentRequired' must be an object")]
    [InlineData("""{"properties": {"a": {"$id": "x", "$ref": "#/$defs/y"}}, "$defs": {"y": {}}}""", "'properties.a.$id above references' is not supported")]
    [InlineData("""{"type": "number", "not": {"type": "integer"}}""", "'not' is not supported")]
    [InlineData("""{"type": "array", "uniqueItems": true}""", "'uniqueItems but of the values of an enum' is not supported")]
    [InlineData("""{"anyOf": [{"type": "string"}, {"contains": {}}]}""", "'anyOf.1.contains' is not supported")]
    [InlineData("""{"type": "object", "patternProperties": {"(?=a)": {}}}""", "'patternProperties.(?=a)' cannot be served: Look-around")]
    [InlineData("""{"type": "object", "minProperties": 3, "additionalProperties": true}""", "'minProperties above the number of named properties and one' is not supported")]
    [InlineData("""{"type": "integer", "multipleOf": 3001}""", "'multipleOf with more than 1000 remainders' is not supported")]
    [InlineData("""{"type": "integer", "multipleOf": 0}""", "'multipleOf' must be a number above 0")]
    [InlineData("""{"type": "string", "format": "iban"}""", "'format' is 'iban', which is not supported")]
    [InlineData("""{"type": "string", "pattern": "(?=a)b"}""", "'pattern' cannot be served: Look-around")]
    [InlineData("""{"type": "string", "pattern": "(a)\\1"}""", "Back-references")]
    [InlineData("""{"type": "string", "pattern": "a", "maxLength": 100000}""", "cannot be served with all that holds for it")]
    [InlineData("""{"type": "text"}""", "'type' is 'text'")]
    [InlineData("""{"$ref": "http://example.com/s"}""", "'$ref' is 'http://example.com/s'")]
    [InlineData("""{"$ref": "#/$defs/x"}""", "not in the schema")]
    [InlineData("""{"$ref": "#"}""", "refers to itself")]
    [InlineData("""{"anyOf": [{"$ref": "#"}, {"const": 1}]}""", "begins with itself")]
    [InlineData("""{"oneOf": [{"type": "integer"}, {"type": "number"}]}""", "'oneOf' is not supported where")]
    [InlineData("""{"properties": {"next": {"$ref": "#"}}, "required": ["next"]}""", "No text fits")]
    [InlineData("""{"enum": []}""", "No text fits")]
    [InlineData("""{"minItems": -1, "type": "array"}""", "'minItems' must be an integer")]
    [InlineData("""{"required": "a"}""", "'required' must be a list of names")]
    [InlineData("false", "No text fits")]
    [InlineData("[]", "'schema' must be an object")]
    public void What_cannot_be_served_is_named(string schema, string reason) =>
        Assert.Contains(reason, Assert.Throws<GrammarException>(() => Compiler.Compile(GrammarLab.Schema(schema))).Message);

    [Fact]
    public void Of_a_thousand_optional_properties_any_may_come_in_order()
    {
        var many = string.Join(',', Enumerable.Range(0, 1000).Select(i => $"\"property{i}\": {{\"const\": {i}}}"));
        var grammar = Compiler.Compile(GrammarLab.Schema($$"""{"type": "object", "properties": { {{many}} } }"""));
        Assert.All((string[])["{}", "{\"property999\": 999}", "{\"property0\": 0, \"property1\": 1, \"property997\": 997}"],
            text => Assert.True(GrammarLab.Fits(grammar, text), text));
        Assert.All((string[])["{\"property1\": 1, \"property0\": 0}", "{\"property1\": 2}", "{\"property1000\": 1000}", "{\"property7\": 7, \"property7\": 7}"],
            text => Assert.False(GrammarLab.Fits(grammar, text), text));
    }

    [Fact]
    public void A_schema_of_any_size_is_compiled_or_refused_within_bounds()
    {
        var diamonds = string.Join(',', Enumerable.Range(0, 60).Select(i => $$"""
            "d{{i}}": {"allOf": [{"$ref": "#/$defs/d{{i + 1}}"}, {"$ref": "#/$defs/d{{i + 1}}"}]}
            """));
        var many = string.Join(',', Enumerable.Range(0, 3000).Select(i => $"\"property{i}\": {{\"type\": \"string\", \"maxLength\": {i}}}"));
        string[] schemas =
        [
            $$"""{"$ref": "#/$defs/d0", "$defs": { {{diamonds}}, "d60": {} } }""",
            $$"""{"type": "object", "properties": { {{many}} } }""",
            string.Concat(Enumerable.Repeat("""{"type": "array", "items": """, 300)) + "{}" + new string('}', 300),
            """{"type": "string", "pattern": "(a|b)*a(a|b){1000}(((a{9}){9}){9}){9}"}""",
            """{"type": "array", "maxItems": 1000000000}""",
            "{\"allOf\": [" + string.Join(',', Enumerable.Repeat("""{"anyOf": [{"type": "string"}, {"type": "null"}, {"minimum": 1}]}""", 30)) + "]}",
        ];
        foreach (var schema in schemas)
        {
            var started = Stopwatch.GetTimestamp();
            try
            {
                Compiler.Compile(GrammarSources.JsonSchema(JsonDocument.Parse(schema, new() { MaxDepth = 2000 }).RootElement));
            }
            catch (GrammarException error)
            {
                Assert.Matches("more than|at most", error.Message);
            }
            // A bound that only a hang exceeds: the work itself is counted, not timed.
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromMinutes(1), schema[..Math.Min(100, schema.Length)]);
        }
    }
}
