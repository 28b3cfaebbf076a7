using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.AI;

namespace Serving.Server.Embedding;

/// <summary>A request of Microsoft.Extensions.AI as POST /v1/chat/completions spells it, so that one reader checks both.</summary>
static class ChatJson
{
    public static JsonDocument Of(IEnumerable<Microsoft.Extensions.AI.ChatMessage> messages, ChatOptions? options, string model)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("model", options?.ModelId ?? model);
            json.WriteBoolean("stream", true);
            json.WriteStartArray("messages");
            if (options?.Instructions is { } instructions)
                Write(json, new Microsoft.Extensions.AI.ChatMessage(ChatRole.System, instructions));
            foreach (var message in messages)
                Write(json, message);
            json.WriteEndArray();
            if (options is not null)
                Write(json, options);
            json.WriteEndObject();
        }
        return JsonDocument.Parse(buffer.WrittenMemory);
    }

    static void Write(Utf8JsonWriter json, Microsoft.Extensions.AI.ChatMessage message)
    {
        foreach (var content in message.Contents)
        {
            if (content is not (TextContent or FunctionCallContent or FunctionResultContent or TextReasoningContent or UsageContent))
                throw new ArgumentException($"A message holds {content.GetType().Name}; this model takes text and tool calls.", nameof(message));
        }
        foreach (var result in message.Contents.OfType<FunctionResultContent>())
        {
            json.WriteStartObject();
            json.WriteString("role", "tool");
            json.WriteString("tool_call_id", result.CallId);
            json.WriteString("content", result.Result switch
            {
                string text => text,
                var other => JsonSerializer.Serialize(other, TypeOf(other)),
            });
            json.WriteEndObject();
        }
        List<FunctionCallContent> calls = [.. message.Contents.OfType<FunctionCallContent>()];
        if (calls.Count == 0 && message.Contents.Any(c => c is FunctionResultContent))
            return;
        json.WriteStartObject();
        json.WriteString("role", message.Role.Value);
        json.WriteString("content", message.Text);
        if (string.Concat(message.Contents.OfType<TextReasoningContent>().Select(thought => thought.Text)) is { Length: > 0 } thoughts)
            json.WriteString("reasoning_content", thoughts);
        if (calls.Count > 0)
            Write(json, calls);
        json.WriteEndObject();
    }

    static void Write(Utf8JsonWriter json, List<FunctionCallContent> calls)
    {
        json.WriteStartArray("tool_calls");
        foreach (var call in calls)
        {
            json.WriteStartObject();
            json.WriteString("id", call.CallId);
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", call.Name);
            json.WriteString("arguments", JsonSerializer.Serialize(call.Arguments ?? new Dictionary<string, object?>(), TypeOf(call.Arguments)));
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    static void Write(Utf8JsonWriter json, ChatOptions options)
    {
        Number(json, "temperature", options.Temperature);
        Number(json, "top_p", options.TopP);
        Number(json, "top_k", options.TopK);
        Number(json, "frequency_penalty", options.FrequencyPenalty);
        Number(json, "presence_penalty", options.PresencePenalty);
        Number(json, "max_completion_tokens", options.MaxOutputTokens);
        Number(json, "seed", options.Seed);
        if (options.StopSequences is { Count: > 0 } stops)
        {
            json.WriteStartArray("stop");
            foreach (var stop in stops)
                json.WriteStringValue(stop);
            json.WriteEndArray();
        }
        if (options.ResponseFormat is ChatResponseFormatJson format)
            Write(json, format);
        if (options.Tools is { Count: > 0 } tools)
            Write(json, tools, options);
        foreach (var (name, value) in options.AdditionalProperties ?? [])
        {
            json.WritePropertyName(name);
            JsonSerializer.Serialize(json, value, TypeOf(value));
        }
    }

    static void Write(Utf8JsonWriter json, ChatResponseFormatJson format)
    {
        json.WriteStartObject("response_format");
        json.WriteString("type", format.Schema is null ? "json_object" : "json_schema");
        if (format.Schema is { } schema)
        {
            json.WriteStartObject("json_schema");
            json.WriteString("name", format.SchemaName ?? "answer");
            json.WriteBoolean("strict", true);
            json.WritePropertyName("schema");
            schema.WriteTo(json);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    static void Write(Utf8JsonWriter json, IList<AITool> tools, ChatOptions options)
    {
        json.WriteStartArray("tools");
        foreach (var tool in tools)
        {
            if (tool is not AIFunctionDeclaration function)
                throw new ArgumentException($"Tool '{tool.Name}' is no function; this server calls functions alone.", nameof(tools));
            json.WriteStartObject();
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", function.Name);
            json.WriteString("description", function.Description);
            json.WritePropertyName("parameters");
            function.JsonSchema.WriteTo(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        switch (options.ToolMode)
        {
            case NoneChatToolMode:
                json.WriteString("tool_choice", "none");
                break;
            case RequiredChatToolMode { RequiredFunctionName: { } name }:
                json.WriteStartObject("tool_choice");
                json.WriteString("type", "function");
                json.WriteStartObject("function");
                json.WriteString("name", name);
                json.WriteEndObject();
                json.WriteEndObject();
                break;
            case RequiredChatToolMode:
                json.WriteString("tool_choice", "required");
                break;
        }
        if (options.AllowMultipleToolCalls is { } several)
            json.WriteBoolean("parallel_tool_calls", several);
    }

    // Found at run time, so that trimming takes nothing away that a program's own values need.
    static JsonTypeInfo TypeOf(object? value) => AIJsonUtilities.DefaultOptions.GetTypeInfo(value?.GetType() ?? typeof(IDictionary<string, object?>));

    static void Number(Utf8JsonWriter json, string name, float? value)
    {
        if (value is { } number)
            json.WriteNumber(name, number);
    }

    static void Number(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number)
            json.WriteNumber(name, number);
    }
}
