using System.Buffers;
using System.Text;
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
    public static JsonElement Rewrite(JsonElement messages, JsonElement? tools, ToolFormat format)
    {
        var rewritten = new JsonArray();
        foreach (var message in messages.EnumerateArray())
            rewritten.Add((JsonNode)Plain(JsonNode.Parse(message.GetRawText())!.AsObject(), format));
        if (tools is { } given)
        {
            var first = rewritten[0]!.AsObject();
            if (first["role"]!.GetValue<string>() == "system")
                first["content"] = $"{first["content"]}\n\n{Told(given, format)}";
            else
                rewritten.Insert(0, new JsonObject { ["role"] = "system", ["content"] = Told(given, format) });
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

    static string Spelled(ToolFormat format, IEnumerable<(string Name, string Arguments)> calls)
    {
        var text = new StringBuilder(format.Opens);
        foreach (var (name, arguments) in calls)
            text.Append(text.Length > format.Opens.Length ? format.Between : "").Append($"{{\"name\": \"{name}\", \"{format.ArgumentsKey}\": {arguments}}}");
        return text.Append(format.Closes).ToString();
    }
}
