using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>
/// A request of POST /v1/responses, the stateless part of it, said in the words of a chat: the answer is a chat's, and what is wrong with it is
/// told in the words that the client used.
/// </summary>
sealed partial class ResponseRequest
{
    const int MaxItems = 65_536;

    /// <summary>Members that both protocols have, and vLLM's extensions.</summary>
    static readonly string[] Shared =
    [
        "model", "temperature", "top_p", "metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier", "store",
        "parallel_tool_calls", "stream", "seed", "top_k", "min_p", "repetition_penalty", "min_tokens", "ignore_eos", "stop_token_ids", "priority", "cache_salt",
        "chat_template_kwargs", "structured_outputs", "presence_penalty", "frequency_penalty", "stop",
    ];

    static readonly string[] Echoed = ["parallel_tool_calls", "reasoning", "temperature", "text", "tool_choice", "tools", "top_p", "user", "metadata"];

    readonly List<string> _sources = [];
    readonly JsonElement _chat;

    ResponseRequest(RequestReader read)
    {
        read.Refuse("previous_response_id", "conversation", "prompt", "max_tool_calls", "context_management", "moderation");
        if (read.Flag("background") == true)
            throw ApiException.Unsupported("background", "Unsupported parameter: 'background' is not served by this server: it keeps nothing.");
        if (read.OneOf("truncation", "auto", "disabled") == "auto")
            throw ApiException.Invalid("truncation", "unsupported_value", "'truncation' is 'auto'; this server cuts nothing off.");
        read.Object("stream_options")?.Flag("include_obfuscation");
        Instructions = read.String("instructions");
        MaxOutputTokens = read.Integer("max_output_tokens", 1);
        WantsLogprobs = Included(read).Contains("message.output_text.logprobs");
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            Fields(read, json);
            json.WriteStartArray("messages");
            Messages(read, json);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        _chat = JsonElement.Parse(buffer.WrittenSpan);
        Said = Echoed.ToDictionary(name => name, name => read.Find(name)?.ToNode());
    }

    /// <summary>What the reply repeats of the request, by name.</summary>
    public IReadOnlyDictionary<string, JsonNode?> Said { get; }

    public string? Instructions { get; }

    public int? MaxOutputTokens { get; }

    /// <summary>Whether the tokens of the text come with it.</summary>
    public bool WantsLogprobs { get; }

    /// <summary>The chat that the request stands for, checked; mistakes name the client's own fields.</summary>
    public static (ResponseRequest Response, ChatRequest Chat) Read(RequestReader read, ServedModel model, ServerOptions options)
    {
        var request = new ResponseRequest(read);
        try
        {
            return (request, ChatRequest.Read(new RequestReader(request._chat, ""), model, options));
        }
        catch (ApiException refusal) when (refusal.Error.Param is { } param)
        {
            var own = request.Own(param);
            throw new ApiException(refusal.Error with { Param = own, Message = refusal.Message.Replace($"'{param}'", $"'{own}'", StringComparison.Ordinal) });
        }
    }

    void Fields(RequestReader read, Utf8JsonWriter json)
    {
        foreach (var name in Shared)
            Copy(name, read.Find(name), json);
        Copy("max_completion_tokens", read.Find("max_output_tokens"), json);
        if (WantsLogprobs)
            json.WriteBoolean("logprobs", true);
        Copy("top_logprobs", WantsLogprobs ? read.Find("top_logprobs") : null, json);
        read.Integer("top_logprobs", 0, 20);
        Copy("reasoning_effort", Nested(read, "reasoning", "effort", "summary", "generate_summary"), json);
        var text = read.Object("text");
        Copy("verbosity", text?.Find("verbosity"), json);
        if (text?.Object("format") is { } format)
            Format(format, json);
        if (read.List("tools", 1, 128) is { } tools)
            Tools(tools, json);
        if (read.Find("tool_choice") is { } choice)
            Choice(choice, json);
    }

    static RequestValue? Nested(RequestReader read, string name, string member, params ReadOnlySpan<string> ignored)
    {
        var nested = read.Object(name);
        nested?.Accept(ignored);
        return nested?.Find(member);
    }

    static void Copy(string name, RequestValue? value, Utf8JsonWriter json)
    {
        if (value is not { } found)
            return;
        json.WritePropertyName(name);
        found.WriteTo(json);
    }

    static HashSet<string> Included(RequestReader read) => [.. (read.List("include", 0, 16) ?? []).Select(value =>
        value.AsString() is "message.output_text.logprobs" or "reasoning.encrypted_content" ? value.AsString() : throw ApiException.Invalid(
            value.Path, "unsupported_value", $"'{value.Path}' is '{RequestValue.Shortened(value.AsString())}', which this server has not got."))];

    /// <summary>A chat has the schema one level deeper.</summary>
    static void Format(RequestReader format, Utf8JsonWriter json)
    {
        var type = format.Required("type").AsOneOf("text", "json_object", "json_schema");
        json.WriteStartObject("response_format");
        json.WriteString("type", type);
        if (type == "json_schema")
        {
            json.WriteStartObject("json_schema");
            foreach (var name in (string[])["name", "schema", "strict", "description"])
                Copy(name, format.Find(name), json);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    static void Tools(IEnumerable<RequestValue> tools, Utf8JsonWriter json)
    {
        json.WriteStartArray("tools");
        foreach (var value in tools)
        {
            var tool = value.AsObject();
            if (tool.Required("type").AsString() is var type and not "function")
                throw ApiException.Unsupported(tool.PathOf("type"), $"'{tool.PathOf("type")}' is '{RequestValue.Shortened(type)}'; this server has no tools of its own, only functions.");
            json.WriteStartObject();
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            foreach (var name in (string[])["name", "description", "parameters", "strict"])
                Copy(name, tool.Find(name), json);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    static void Choice(RequestValue choice, Utf8JsonWriter json)
    {
        if (!choice.IsObject || choice.AsObject() is not { } named || named.Find("name") is not { } name)
        {
            Copy("tool_choice", choice, json);
            return;
        }
        json.WriteStartObject("tool_choice");
        Copy("type", named.Find("type"), json);
        json.WriteStartObject("function");
        Copy("name", name, json);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    void Messages(RequestReader read, Utf8JsonWriter json)
    {
        if (Instructions is not null)
        {
            _sources.Add("instructions");
            Message(json, "system", Instructions);
        }
        var input = read.Required("input");
        if (input.IsString)
        {
            _sources.Add("input");
            Message(json, "user", input.AsString());
            return;
        }
        if (!input.IsList)
            throw input.WrongType("a string or a list of items");
        var calls = new List<RequestReader>();
        foreach (var item in input.AsList(1, MaxItems))
            Item(item, calls, json);
        Calls(calls, json);
    }

    void Item(RequestValue value, List<RequestReader> calls, Utf8JsonWriter json)
    {
        var item = value.AsObject();
        var type = item.String("type") ?? "message";
        item.Accept("id", "status");
        if (type == "function_call")
        {
            calls.Add(item);
            return;
        }
        Calls(calls, json);
        if (type == "reasoning")
            return;
        _sources.Add(value.Path);
        if (type == "function_call_output")
            Answer(item, json);
        else if (type == "message")
            Speech(item, json);
        else
            throw ApiException.Invalid(item.PathOf("type"), "unsupported_value", $"'{item.PathOf("type")}' is '{RequestValue.Shortened(type)}'; this server reads messages, function calls and their outputs.");
    }

    static void Speech(RequestReader item, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        Copy("role", item.Required("role"), json);
        if (item.FindNullable("content") is { } content)
        {
            json.WritePropertyName("content");
            if (content.IsList)
                Parts(content, json);
            else
                content.WriteTo(json);
        }
        json.WriteEndObject();
    }

    static void Parts(RequestValue content, Utf8JsonWriter json)
    {
        json.WriteStartArray();
        foreach (var value in content.AsList(1, MaxItems))
        {
            var part = value.AsObject();
            var type = part.Required("type").AsString();
            json.WriteStartObject();
            json.WriteString("type", type is "input_text" or "output_text" ? "text" : type);
            Copy("text", part.Find("text"), json);
            Copy("refusal", part.Find("refusal"), json);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    static void Answer(RequestReader item, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("role", "tool");
        json.WriteString("tool_call_id", item.Required("call_id").AsString(256));
        var output = item.Required("output");
        json.WritePropertyName("content");
        if (output.IsList)
            Parts(output, json);
        else
            output.WriteTo(json);
        json.WriteEndObject();
    }

    /// <summary>Calls in a row are one message of the assistant.</summary>
    void Calls(List<RequestReader> calls, Utf8JsonWriter json)
    {
        if (calls.Count == 0)
            return;
        _sources.Add(calls[0].PathOf("")[..^1]);
        json.WriteStartObject();
        json.WriteString("role", "assistant");
        json.WriteNull("content");
        json.WriteStartArray("tool_calls");
        foreach (var call in calls)
        {
            json.WriteStartObject();
            json.WriteString("id", call.Required("call_id").AsString(256));
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", call.Required("name").AsString(64));
            json.WriteString("arguments", call.Required("arguments").AsString());
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        calls.Clear();
    }

    static void Message(Utf8JsonWriter json, string role, string content)
    {
        json.WriteStartObject();
        json.WriteString("role", role);
        json.WriteString("content", content);
        json.WriteEndObject();
    }

    /// <summary>A chat's field as the client called it.</summary>
    string Own(string param)
    {
        if (MessagePath().Match(param) is { Success: true } message)
            return _sources[int.Parse(message.Groups["index"].ValueSpan)] + message.Groups["rest"].Value;
        return param switch
        {
            "messages" => "input",
            "max_completion_tokens" or "max_tokens" => "max_output_tokens",
            "reasoning_effort" => "reasoning.effort",
            "verbosity" => "text.verbosity",
            _ => param.Replace("response_format.json_schema", "text.format", StringComparison.Ordinal)
                .Replace("response_format", "text.format", StringComparison.Ordinal).Replace(".function.", ".", StringComparison.Ordinal),
        };
    }

    [GeneratedRegex(@"^messages\[(?<index>\d+)\](?<rest>.*)$")]
    private static partial Regex MessagePath();
}
