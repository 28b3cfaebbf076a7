using System.Text;
using System.Text.Json.Nodes;

namespace Serving.Server.OpenAi;

/// <summary>What an item of a response is.</summary>
enum ItemKind
{
    Message,
    Reasoning,
    Call,
}

/// <summary>One item of a response's output: a message, thoughts, or a call of a function.</summary>
sealed class ResponseItem(ItemKind kind, string? callId = null, string? name = null)
{
    readonly StringBuilder _text = new();
    readonly List<JsonNode> _logprobs = [];

    public ItemKind Kind { get; } = kind;

    public string Id { get; } = kind switch { ItemKind.Message => "msg_", ItemKind.Reasoning => "rs_", _ => "fc_" } + Guid.NewGuid().ToString("N");

    /// <summary>The text, or a call's arguments.</summary>
    public string Text => _text.ToString();

    /// <summary>The id that a call's answer names.</summary>
    public string? CallId { get; } = callId;

    public void Add(string text, JsonArray logprobs)
    {
        _text.Append(text);
        _logprobs.AddRange(logprobs.OfType<JsonNode>().Select(node => node.DeepClone()));
    }

    public JsonArray Logprobs() => [.. _logprobs.Select(node => node.DeepClone())];

    /// <summary>The item before its first text.</summary>
    public JsonObject Begun() => Written("in_progress", isWhole: false);

    /// <summary>The item at its end.</summary>
    public JsonObject Whole() => Written("completed", isWhole: true);

    /// <summary>A message's content, or that of thoughts.</summary>
    public JsonObject Part(bool isWhole) => Kind == ItemKind.Reasoning
        ? new() { ["type"] = "reasoning_text", ["text"] = isWhole ? Text : "" }
        : new() { ["type"] = "output_text", ["annotations"] = new JsonArray(), ["logprobs"] = isWhole ? Logprobs() : [], ["text"] = isWhole ? Text : "" };

    JsonObject Written(string status, bool isWhole)
    {
        JsonArray content = isWhole ? [(JsonNode)Part(isWhole: true)] : [];
        return Kind switch
        {
            ItemKind.Message => new() { ["id"] = Id, ["type"] = "message", ["status"] = status, ["role"] = "assistant", ["content"] = content },
            ItemKind.Reasoning => new() { ["id"] = Id, ["type"] = "reasoning", ["status"] = status, ["summary"] = new JsonArray(), ["content"] = content },
            _ => new()
            {
                ["id"] = Id, ["type"] = "function_call", ["status"] = status, ["call_id"] = CallId, ["name"] = name, ["arguments"] = isWhole ? Text : "",
            },
        };
    }
}
