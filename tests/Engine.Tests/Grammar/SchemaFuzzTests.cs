using System.Text.Json;
using System.Text.Json.Nodes;
using Serving.Grammar;

namespace Serving.Tests;

public sealed class SchemaFuzzTests
{
    static readonly string[] Patterns = ["^[a-z]{2,5}$", "a|b", "^\\d+-\\d*$", "[\"\\\\]x", "^(foo|ba[rz])+", "é.?$"];

    static readonly string[] Names = ["name", "nam", "names", "id", "x y", "é\"", "_", "a"];

    [Fact]
    public void Whatever_is_drawn_under_a_random_schema_is_json_and_valid_by_it()
    {
        var seed = Environment.GetEnvironmentVariable("SERVING_TEST_SEED") is { } given ? int.Parse(given) : Random.Shared.Next();
        var runs = Environment.GetEnvironmentVariable("SERVING_TEST_ALL") == "true" ? 400 : 60;
        var compiler = GrammarLab.Compiler();
        for (var run = 0; run < runs; run++)
        {
            var random = new Random(seed + run);
            var schema = Root(random);
            var json = schema.ToJsonString();
            var at = $"seed {seed + run}, schema {json}";
            var element = JsonElement.Parse(json);
            CompiledGrammar grammar;
            try
            {
                grammar = compiler.Compile(GrammarSources.JsonSchema(element));
            }
            catch (GrammarException error)
            {
                Assert.True(error.Message.Contains("No text fits") || error.Message.Contains("begins with itself") || error.Message.Contains("refers to itself") || error.Message.Contains("beside") || error.Message.Contains("minProperties above") || error.Message.Contains("remainders") || error.Message.Contains("is not supported") || error.Message.Contains("It takes more than"), $"{at}: {error.Message}");
                continue;
            }
            for (var draw = 0; draw < 4; draw++)
            {
                var room = grammar.FewestTokens + random.Next(60);
                var (text, ended) = GrammarLab.Draw(grammar, room, random);
                Assert.True(ended || room == text.Length || Parses(text), $"{at}: no end within {room} tokens: {text}");
                using var value = JsonDocument.Parse(text);
                Assert.True(new SchemaOracle(element).IsValid(value.RootElement), $"{at}: {text} is not valid.");
            }
        }
    }

    static bool Parses(string text)
    {
        try
        {
            JsonDocument.Parse(text).Dispose();
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    static JsonObject Root(Random random)
    {
        var root = Schema(random, 3);
        root["$defs"] = new JsonObject { ["leaf"] = Scalar(random), ["node"] = Schema(random, 1) };
        return root;
    }

    static JsonObject Schema(Random random, int depth) => (depth <= 0 ? 5 : random.Next(11)) switch
    {
        9 => Cases(random, depth),
        10 => Limited(random, depth),
        0 or 1 => Object(random, depth),
        2 or 3 => Array(random, depth),
        4 => new() { ["anyOf"] = new JsonArray([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Schema(random, depth - 1))]) },
        6 => new() { ["$ref"] = random.Next(2) == 0 ? "#/$defs/leaf" : "#/$defs/node" },
        7 => new() { ["allOf"] = new JsonArray(Object(random, depth), Object(random, depth)) },
        8 when random.Next(3) == 0 => new() { ["enum"] = new JsonArray(1, "a\"b", null, new JsonObject { ["k"] = true }) },
        _ => Scalar(random),
    };

    /// <summary>An object with a case, by a member that tells which.</summary>
    static JsonObject Cases(Random random, int depth)
    {
        var schema = Object(random, depth - 1);
        schema.Remove("propertyNames");
        schema["properties"]!["kind"] = random.Next(2) == 0 ? new JsonObject { ["enum"] = new JsonArray("a", "b", 2) } : new JsonObject { ["type"] = new JsonArray("string", "integer") };
        schema["if"] = new JsonObject { ["properties"] = new JsonObject { ["kind"] = new JsonObject { ["const"] = random.Next(2) == 0 ? "a" : 2 } } };
        if (random.Next(2) == 0)
            schema["if"]!["required"] = new JsonArray("kind");
        if (random.Next(3) > 0)
            schema["then"] = new JsonObject { ["required"] = new JsonArray(Names[random.Next(3)]) };
        if (random.Next(3) > 0)
            schema["else"] = new JsonObject { ["properties"] = new JsonObject { [Names[random.Next(3)]] = false } };
        if (random.Next(3) == 0)
            schema["dependentRequired"] = new JsonObject { [Names[random.Next(3)]] = new JsonArray("id") };
        return schema;
    }

    /// <summary>A schema that another must not hold beside.</summary>
    static JsonObject Limited(Random random, int depth) => new()
    {
        ["allOf"] = new JsonArray(Schema(random, depth - 1)),
        ["not"] = random.Next(6) switch
        {
            0 => new JsonObject { ["required"] = new JsonArray("name", "id") },
            1 => new JsonObject { ["type"] = "string", ["minLength"] = 3 },
            2 => new JsonObject { ["anyOf"] = new JsonArray(new JsonObject { ["maximum"] = 10 }, new JsonObject { ["const"] = 12 }) },
            3 => new JsonObject { ["pattern"] = "^[ab]", ["$ref"] = "#/$defs/leaf" },
            4 => new JsonObject { ["minItems"] = 2 },
            _ => new JsonObject { ["properties"] = new JsonObject { ["id"] = new JsonObject { ["type"] = new JsonArray("string", "null") } } },
        },
    };

    static JsonObject Object(Random random, int depth)
    {
        var names = Names.OrderBy(_ => random.Next()).Take(random.Next(5)).ToList();
        var schema = new JsonObject { ["type"] = "object" };
        schema["properties"] = new JsonObject(names.Select(name => KeyValuePair.Create(name, (JsonNode?)Schema(random, depth - 1))));
        schema["required"] = new JsonArray([.. names.Where(_ => random.Next(2) == 0).Select(name => JsonValue.Create(name))]);
        if (random.Next(3) is var kind && kind > 0)
            schema["additionalProperties"] = kind == 1 ? JsonValue.Create(random.Next(2) == 0) : Scalar(random);
        if (random.Next(4) == 0)
            schema["patternProperties"] = new JsonObject(Patterns.OrderBy(_ => random.Next()).Take(random.Next(1, 3)).Select(pattern => KeyValuePair.Create(pattern, (JsonNode?)Scalar(random))));
        if (random.Next(5) == 0)
            schema["propertyNames"] = random.Next(3) switch
            {
                0 => new JsonObject { ["enum"] = new JsonArray("name", "id", "q\"x", 1) },
                1 => new JsonObject { ["pattern"] = Patterns[random.Next(Patterns.Length)], ["maxLength"] = 6 },
                _ => new JsonObject { ["anyOf"] = new JsonArray(new JsonObject { ["maxLength"] = 3 }, new JsonObject { ["pattern"] = "^n" }) },
            };
        if (random.Next(4) == 0)
            schema["minProperties"] = random.Next(3);
        if (random.Next(4) == 0)
            schema["maxProperties"] = random.Next(6);
        return schema;
    }

    static JsonObject Array(Random random, int depth)
    {
        var schema = new JsonObject { ["type"] = "array" };
        if (random.Next(3) > 0)
            schema["items"] = random.Next(6) == 0 ? false : Schema(random, depth - 1);
        if (random.Next(3) == 0)
            schema["prefixItems"] = new JsonArray([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Scalar(random))]);
        if (random.Next(3) == 0)
            schema["minItems"] = random.Next(4);
        if (random.Next(3) == 0)
            schema["maxItems"] = random.Next(8) == 0 ? 200 : random.Next(6);
        if (random.Next(6) == 0)
            schema = new() { ["type"] = "array", ["items"] = new JsonObject { ["enum"] = new JsonArray(1, 1.0, "a", null, false) }, ["uniqueItems"] = true, ["minItems"] = random.Next(3) };
        return schema;
    }

    static JsonObject Scalar(Random random)
    {
        switch (random.Next(10))
        {
            case 7:
                var ranged = Ranged(random, random.Next(2) == 0 ? "integer" : "number", whole: true);
                ranged["multipleOf"] = random.Next(3) switch { 0 => random.Next(2, 40), 1 => 0.25m, _ => 0.1m };
                return ranged;
            case 8:
                return new() { ["type"] = "string", ["pattern"] = Patterns[random.Next(Patterns.Length)], ["minLength"] = random.Next(6), ["maxLength"] = random.Next(5, 20) };
            case 9:
                return new() { ["type"] = new JsonArray("string", "null", "boolean"), ["maxLength"] = 4, ["not"] = new JsonObject { ["enum"] = new JsonArray("a", "", null, true) } };
            case 0:
                return new() { ["type"] = new JsonArray("null", "boolean") };
            case 1:
                return Ranged(random, "integer", whole: true);
            case 2:
                return Ranged(random, "number", whole: false);
            case 3:
                return new() { ["type"] = "string", ["minLength"] = random.Next(5), ["maxLength"] = random.Next(4, 200) };
            case 4:
                return new() { ["type"] = "string", ["pattern"] = Patterns[random.Next(Patterns.Length)] };
            case 5:
                return new() { ["const"] = random.Next(2) == 0 ? random.Next(1000) : "a\tb\\é" };
            default:
                return new() { ["type"] = "string" };
        }
    }

    static JsonObject Ranged(Random random, string type, bool whole)
    {
        var schema = new JsonObject { ["type"] = type };
        var low = Math.Round((decimal)(random.NextDouble() * 4000 - 2000), whole ? 0 : random.Next(4));
        if (random.Next(3) > 0)
            schema[random.Next(3) == 0 ? "exclusiveMinimum" : "minimum"] = low;
        if (random.Next(3) > 0)
            schema[random.Next(3) == 0 ? "exclusiveMaximum" : "maximum"] = low + Math.Round((decimal)(random.NextDouble() * Math.Pow(10, random.Next(-2, 5))), whole ? 0 : 3) + (whole ? 2 : 0.01m);
        return schema;
    }
}
