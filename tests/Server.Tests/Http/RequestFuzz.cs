using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Serving.Server.OpenApi;

namespace Serving.Tests;

/// <summary>A request that may be wrong, and what it is meant to exercise.</summary>
sealed record FuzzRequest(HttpMethod Method, string Path, byte[]? Body, string ContentType, string? Key, string Route, IReadOnlyList<string> Fields)
{
    public override string ToString() => $"{Method} {Path}: {(Body is null ? "" : Encoding.UTF8.GetString(Body)).TrimEnd()}";

    public HttpRequestMessage Message()
    {
        var message = new HttpRequestMessage(Method, Path);
        if (Body is not null)
        {
            message.Content = new ByteArrayContent(Body);
            message.Content.Headers.TryAddWithoutValidation("Content-Type", ContentType);
        }
        if (Key is not null) message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return message;
    }
}

/// <summary>Makes requests from the document of the interface: fields with values that fit or do not, and bytes that were changed afterwards.</summary>
sealed class RequestFuzz(Random random)
{
    public const string Key = "fuzz-key";
    public const int MaxBody = 20_000;

    static readonly JsonNode Document = JsonNode.Parse(OpenApiDocument.Text)!;

    static readonly (string Path, string Method, JsonNode? Schema)[] Routes =
    [
        .. from path in Document["paths"]!.AsObject()
           from method in path.Value!.AsObject()
           select (path.Key, method.Key, Resolved(method.Value!["requestBody"]?["content"]?["application/json"]?["schema"])),
    ];

    static readonly string[] Pieces = ["null", "true", "0", "-1", "1e999", "1.5", "\"\"", "[]", "{}", "[[]]", "\"\\ud800\"", "9223372036854775808", "\"a\"", "{\"a\":1}", ","];

    /// <summary>Every route, and every field of every route.</summary>
    public static IEnumerable<string> Everything => Routes.SelectMany(route =>
        (route.Schema?["properties"]?.AsObject().Select(p => $"{route.Path} {p.Key}") ?? []).Prepend(route.Path));

    public FuzzRequest Next()
    {
        var withBody = random.Next(20) > 0;
        var candidates = Routes.Where(route => route.Schema is not null == withBody).ToArray();
        var (path, method, schema) = candidates[random.Next(candidates.Length)];
        var verb = new HttpMethod((random.Next(50) == 0 ? "DELETE" : method).ToUpperInvariant());
        var fields = new List<string>();
        var body = schema is null ? null : Encoding.UTF8.GetBytes(Body(schema, fields));
        if (body is not null && random.Next(4) == 0) body = Mutated(body);
        if (body is not null && random.Next(200) == 0) body = [.. body, .. Enumerable.Repeat((byte)' ', MaxBody)];
        var place = random.Next(100) == 0 ? "/v1/" + random.Next() : path.Replace("{id}", random.Next(2) == 0 ? "org/tiny" : "no%2Fbody/x", StringComparison.Ordinal);
        return new(verb, place, body, random.Next(100) == 0 ? "text/plain" : "application/json",
            random.Next(100) switch { 0 => null, 1 => "wrong", _ => Key }, path, [.. fields.Select(field => $"{path} {field}")]);
    }

    string Body(JsonNode schema, List<string> fields)
    {
        var required = schema["required"]?.AsArray().Select(name => name!.GetValue<string>()).ToArray() ?? [];
        var properties = schema["properties"]!.AsObject();
        var body = new StringBuilder("{");
        foreach (var name in required.Where(_ => random.Next(60) > 0).Concat(properties.Select(p => p.Key).Where(n => !required.Contains(n) && random.Next(properties.Count) < 3)))
        {
            fields.Add(name);
            Member(body, name, name == "model" && random.Next(30) > 0 ? "\"tiny\"" : Value(properties[name]!, 0));
        }
        if (properties.ContainsKey("max_tokens") && !fields.Contains("max_tokens")) Member(body, "max_tokens", random.Next(80) == 0 ? "1000000" : "3");
        if (random.Next(40) == 0) Member(body, "zeta", Pieces[random.Next(Pieces.Length)]);
        return body.Append('}').ToString();
    }

    static void Member(StringBuilder body, string name, string value) =>
        body.Append(body.Length > 1 ? "," : "").Append('"').Append(name).Append("\":").Append(value);

    /// <summary>A value that fits the schema, most of the time.</summary>
    string Value(JsonNode schema, int depth)
    {
        schema = Resolved(schema)!;
        if (random.Next(12) == 0) return Pieces[random.Next(Pieces.Length - 1)];
        if (schema["oneOf"] is JsonArray options) return Value(options[random.Next(options.Count)]!, depth);
        if (schema["enum"] is JsonArray words) return random.Next(10) == 0 ? "\"other\"" : words[random.Next(words.Count)]!.ToJsonString();
        var type = schema["type"] is JsonArray types ? types[0]!.GetValue<string>() : schema["type"]?.GetValue<string>();
        return type switch
        {
            "string" => Text(schema),
            "integer" => Integer(schema),
            "number" => Number(schema),
            "boolean" => random.Next(2) == 0 ? "true" : "false",
            "array" => Items(schema, depth),
            "object" when depth < 4 => Members(schema, depth),
            _ => "{}",
        };
    }

    string Text(JsonNode schema) => random.Next(15) switch
    {
        0 => "\"\"",
        1 => JsonSerializer.Serialize(new string('x', (schema["maxLength"]?.GetValue<int>() ?? 64) + 1)),
        _ => JsonSerializer.Serialize(string.Concat(Enumerable.Range(0, random.Next(1, 8)).Select(_ => random.Next(5) == 0 ? "é☃" : ((char)random.Next('a', 'z')).ToString()))),
    };

    string Integer(JsonNode schema) => random.Next(10) switch
    {
        0 when schema["minimum"] is { } low => $"{low.GetValue<long>() - 1}",
        1 when schema["maximum"] is { } high => $"{high.GetValue<long>() + 1}",
        2 => "1000000",
        3 => "1.5",
        _ => $"{(schema["minimum"]?.GetValue<long>() ?? 0) + random.Next(4)}",
    };

    string Number(JsonNode schema) => random.Next(8) switch
    {
        0 when schema["minimum"] is { } low => $"{low.GetValue<double>() - 0.5}",
        1 when schema["maximum"] is { } high => $"{high.GetValue<double>() + 0.5}",
        _ => $"{Math.Max(schema["minimum"]?.GetValue<double>() ?? 0, Math.Round(random.NextDouble(), 2))}",
    };

    string Items(JsonNode schema, int depth)
    {
        var count = random.Next(25) == 0 ? 0 : random.Next(60) == 0 ? (schema["maxItems"]?.GetValue<int>() ?? 5) + 1 : random.Next(1, 4);
        return "[" + string.Join(",", Enumerable.Range(0, Math.Min(count, 3000)).Select(_ => Value(schema["items"]!, depth + 1))) + "]";
    }

    string Members(JsonNode schema, int depth)
    {
        var body = new StringBuilder("{");
        if (schema["properties"] is JsonObject properties)
        {
            var required = schema["required"]?.AsArray().Select(name => name!.GetValue<string>()).ToArray() ?? [];
            foreach (var (name, value) in properties)
                if (required.Contains(name) ? random.Next(30) > 0 : random.Next(3) == 0) Member(body, name, Value(value!, depth + 1));
            // A message without content says nothing of what else is wrong with it.
            if (properties.ContainsKey("role") && !body.ToString().Contains("content", StringComparison.Ordinal)) Member(body, "content", "\"a\"");
        }
        else if (schema["additionalProperties"] is { } kind)
            Member(body, $"{random.Next(300)}", Value(kind, depth + 1));
        return body.Append('}').ToString();
    }

    byte[] Mutated(byte[] body)
    {
        var bytes = body.ToList();
        for (var edits = random.Next(1, 4); edits > 0 && bytes.Count > 0; edits--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(3))
            {
                case 0:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 6), bytes.Count - at));
                    break;
                case 1:
                    bytes.InsertRange(at, Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)]));
                    break;
                default:
                    bytes[at] = (byte)random.Next(256);
                    break;
            }
        }
        return [.. bytes];
    }

    static JsonNode? Resolved(JsonNode? schema) =>
        schema?["$ref"] is { } reference ? Document["components"]!["schemas"]![reference.GetValue<string>().Split('/')[^1]] : schema;
}
