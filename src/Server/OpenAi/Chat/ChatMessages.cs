using System.Buffers;
using System.Text.Json;
using System.Text.RegularExpressions;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>Checks the messages of a chat and writes them as a template wants them: contents as one text, nothing that templates do not know.</summary>
sealed partial class ChatMessages(bool knowsDeveloper)
{
    const int MaxMessages = 65_536;
    const int MaxToolCalls = 128;

    readonly HashSet<string> _unanswered = [];

    /// <summary>The conversation as a JSON array of messages with role, content, name, tool_calls and tool_call_id.</summary>
    public static JsonElement Read(RequestReader read, bool knowsDeveloper)
    {
        var reader = new ChatMessages(knowsDeveloper);
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (var message in read.Required("messages").AsList(1, MaxMessages))
                reader.Message(message, json);
            json.WriteEndArray();
        }
        return JsonElement.Parse(buffer.WrittenSpan);
    }

    void Message(RequestValue value, Utf8JsonWriter json)
    {
        var message = value.AsObject();
        var role = message.Required("role").AsOneOf("developer", "system", "user", "assistant", "tool", "function");
        message.Refuse("audio", "function_call");
        if (role == "user" && _unanswered.Count > 0)
            throw ApiException.Invalid(value.Path, "invalid_value",
                $"'{value.Path}' is the user's, but the tool call '{RequestValue.Shortened(_unanswered.First())}' has no answer yet.");
        json.WriteStartObject();
        json.WriteString("role", role == "developer" && !knowsDeveloper ? "system" : role);
        if (message.String("name") is { } name)
            json.WriteString("name", Name().IsMatch(name) ? name : throw ApiException.Invalid(message.PathOf("name"), "invalid_value",
                $"'{message.PathOf("name")}' must have 1 to 64 characters, without spaces and <|\\/>."));
        var calls = role == "assistant" ? message.List("tool_calls", 1, MaxToolCalls) : null;
        Content(message, json, mayBeNull: calls is not null);
        if (message.String("reasoning_content") is { } reasoning)
            json.WriteString("reasoning_content", reasoning);
        if (calls is not null)
            ToolCalls(calls, json);
        if (role == "tool")
            ToolAnswer(message, json);
        json.WriteEndObject();
    }

    static void Content(RequestReader message, Utf8JsonWriter json, bool mayBeNull)
    {
        var content = message.FindNullable("content");
        if (content is not { IsNull: false } value)
        {
            if (!mayBeNull)
                throw content?.WrongType("a string or a list of parts") ?? ApiException.Missing(message.PathOf("content"));
            json.WriteNull("content");
        }
        else if (value.IsString)
            json.WriteString("content", value.AsString());
        else if (value.IsList)
            json.WriteString("content", string.Concat(value.AsList(1, MaxMessages).Select(Part)));
        else
            throw value.WrongType("a string or a list of parts");
    }

    static string Part(RequestValue value)
    {
        var part = value.AsObject();
        var type = part.Required("type").AsString();
        return type switch
        {
            "text" => part.Required("text").AsString(),
            "refusal" => part.Required("refusal").AsString(),
            _ => throw ApiException.Invalid(part.PathOf("type"), "unsupported_value",
                $"'{part.PathOf("type")}' is '{RequestValue.Shortened(type)}'; this model reads parts of type text alone."),
        };
    }

    void ToolCalls(IEnumerable<RequestValue> calls, Utf8JsonWriter json)
    {
        json.WriteStartArray("tool_calls");
        foreach (var value in calls)
        {
            var call = value.AsObject();
            var function = call.Required("function").AsObject();
            var id = call.Required("id").AsString(256);
            if (!_unanswered.Add(id))
                throw ApiException.Invalid(call.PathOf("id"), "invalid_value", $"'{call.PathOf("id")}' repeats the id of another call.");
            json.WriteStartObject();
            json.WriteString("id", id);
            json.WriteString("type", call.OneOf("type", "function") ?? "function");
            json.WriteStartObject("function");
            json.WriteString("name", function.Required("name").AsString(64));
            json.WriteString("arguments", function.Required("arguments").AsString());
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    void ToolAnswer(RequestReader message, Utf8JsonWriter json)
    {
        var id = message.Required("tool_call_id").AsString(256);
        if (!_unanswered.Remove(id))
            throw ApiException.Invalid(message.PathOf("tool_call_id"), "invalid_value",
                $"'{message.PathOf("tool_call_id")}' is '{RequestValue.Shortened(id)}', which no earlier message calls.");
        json.WriteString("tool_call_id", id);
    }

    [GeneratedRegex(@"^[^\s<|\\/>]{1,64}\z")]
    private static partial Regex Name();
}
