using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Serving.Server.OpenAi;

/// <summary>
/// Tells a model of tools whose chat template knows none: in the system message, as SmolLM2 was taught, with calls and answers as plain
/// messages.
/// </summary>
static class ToolPrompt
{
    /// <summary>The conversation with the tools in its system message.</summary>
    /// <param name="messages">The conversation.</param>
    /// <param name="tools">The tools; null for none.</param>
    /// <param name="format">How calls are spelled.</param>
    /// <param name="printsCalls">Whether the template prints calls and answers itself.</param>
    public static JsonElement Rewrite(JsonElement messages, JsonElement? tools, ToolFormat format, bool printsCalls)
    {
        var rewritten = new JsonArray();
        foreach (var message in messages.EnumerateArray())
        {
            var given = JsonNode.Parse(message.GetRawText())!.AsObject();
            rewritten.Add((JsonNode)(printsCalls ? given : Plain(given, format)));
        }
        if (tools is { } told)
        {
            var first = rewritten[0]!.AsObject();
            if (first["role"]!.GetValue<string>() == "system")
                first["content"] = $"{first["content"]}\n\n{Told(told, format)}";
            else
                rewritten.Insert(0, new JsonObject { ["role"] = "system", ["content"] = Told(told, format) });
        }
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
            rewritten.WriteTo(json);
        return JsonElement.Parse(buffer.WrittenSpan);
    }

    static string Told(JsonElement tools, ToolFormat format) => $$"""
        You have access to the following tools:
        <tools>{{tools.GetRawText()}}</tools>
        To call tools, answer with nothing but
        {{Spelled(format, [("func_name1", """{"argument1": "value1"}"""), ("func_name2", """{"argument1": "value1"}""")])}}
        """;

    static JsonObject Plain(JsonObject message, ToolFormat format)
    {
        if (message["role"]!.GetValue<string>() == "tool")
            return new() { ["role"] = "user", ["content"] = $"<tool_response>\n{message["content"]}\n</tool_response>" };
        if (message["tool_calls"] is not JsonArray calls)
            return message;
        var spelled = Spelled(format, calls.Select(call => (call!["function"]!["name"]!.GetValue<string>(), call["function"]!["arguments"]!.GetValue<string>())));
        return new() { ["role"] = "assistant", ["content"] = message["content"] is { } said ? $"{said}\n{spelled}" : spelled };
    }

    static string Spelled(ToolFormat format, IEnumerable<(string Name, string Arguments)> calls) =>
        format.Opens + string.Join(format.Between, calls.Select((call, number) => Spelled(format, call.Name, call.Arguments, number))) + format.Closes;

    static string Spelled(ToolFormat format, string name, string arguments, int number) =>
        string.Concat(ToolPattern.Parse(format.Call).Select(piece => piece.Literal ?? piece.Hole switch
        {
            "name" => name,
            "arguments" => arguments,
            "number" => $"{number}",
            "call" => $"{{\"name\": \"{name}\", \"{format.ArgumentsKey}\": {arguments}}}",
            "pairs" => Pairs(format, JsonNode.Parse(arguments) as JsonObject),
            _ => "",
        }));

    static string Pairs(ToolFormat format, JsonObject? arguments) => string.Concat((arguments ?? []).Select(argument =>
        string.Concat(ToolPattern.Parse(format.Pair).Select(piece => piece.Literal ?? (piece.Hole == "key" ? argument.Key : $"{argument.Value}")))));
}
