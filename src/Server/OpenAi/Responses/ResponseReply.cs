using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>Tells a chat's answer as a response: whole, or as the events of its making. Both hold the same items.</summary>
sealed class ResponseReply(ReplyHead head, ResponseRequest request, ChatReply chat)
{
    readonly List<ResponseItem> _items = [];
    int _sequence;

    /// <summary>The response at its end.</summary>
    public async Task<JsonObject> WholeAsync(TextRun run, CancellationToken cancellation)
    {
        var last = "";
        await foreach (var happened in EventsAsync(run, cancellation))
            last = happened["type"]!.GetValue<string>() is "response.completed" or "response.incomplete" ? happened["response"]!.ToJsonString() : last;
        return JsonNode.Parse(last)!.AsObject();
    }

    /// <summary>Everything that happens, numbered.</summary>
    public async IAsyncEnumerable<JsonObject> EventsAsync(TextRun run, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var reason = "";
        await foreach (var chunk in chat.ChunksAsync(run, cancellation))
        {
            if (_sequence == 0)
            {
                yield return Event("response.created", ("response", Response("in_progress", null)));
                yield return Event("response.in_progress", ("response", Response("in_progress", null)));
            }
            if (chunk.Choices is not [var choice])
                continue;
            reason = choice.FinishReason ?? reason;
            foreach (var happened in Pieces(choice).SelectMany(Said))
                yield return happened;
        }
        IEnumerable<JsonObject> rest = _items.Count == 0 ? [.. Begun(new(ItemKind.Message)), .. Ended()] : Ended();
        foreach (var happened in rest)
            yield return happened;
        var status = reason == "length" ? "incomplete" : "completed";
        yield return Event($"response.{status}", ("response", Response(status, run.Usage)));
    }

    /// <summary>What a chunk adds, each with the item that it belongs to; null for the one that is open.</summary>
    IEnumerable<(ItemKind Kind, ChatToolCall? Call, string Text, JsonArray Logprobs)> Pieces(ChatChunkChoice choice)
    {
        if (choice.Delta.ReasoningContent is { Length: > 0 } thought)
            yield return (ItemKind.Reasoning, null, thought, []);
        if (choice.Delta.Content is { } text && (text.Length > 0 || choice.Logprobs is not null))
            yield return (ItemKind.Message, null, text, Logprobs(choice.Logprobs));
        foreach (var call in choice.Delta.ToolCalls ?? [])
            yield return (ItemKind.Call, call, call.Function.Arguments, []);
    }

    /// <summary>The events of a piece: a new item where the open one is another, then the text.</summary>
    IEnumerable<JsonObject> Said((ItemKind Kind, ChatToolCall? Call, string Text, JsonArray Logprobs) piece)
    {
        var isNew = piece.Call is { Id: not null } || _items is [] || _items[^1].Kind != piece.Kind;
        foreach (var happened in isNew ? [.. Ended(), .. Begun(new(piece.Kind, piece.Call?.Id, piece.Call?.Function.Name))] : Array.Empty<JsonObject>())
            yield return happened;
        _items[^1].Add(piece.Text, piece.Logprobs);
        if (piece.Text.Length > 0 || piece.Logprobs.Count > 0)
            yield return piece.Kind switch
            {
                ItemKind.Message => About("response.output_text.delta", ("content_index", 0), ("delta", piece.Text), ("logprobs", piece.Logprobs)),
                ItemKind.Reasoning => About("response.reasoning_text.delta", ("content_index", 0), ("delta", piece.Text)),
                _ => About("response.function_call_arguments.delta", ("delta", piece.Text)),
            };
    }

    List<JsonObject> Begun(ResponseItem item)
    {
        _items.Add(item);
        var events = new List<JsonObject> { Event("response.output_item.added", ("output_index", _items.Count - 1), ("item", item.Begun())) };
        if (item.Kind != ItemKind.Call)
            events.Add(About("response.content_part.added", ("content_index", 0), ("part", item.Part(isWhole: false))));
        return events;
    }

    /// <summary>Closes the open item.</summary>
    List<JsonObject> Ended()
    {
        if (_items is not [.., var item])
            return [];
        var events = new List<JsonObject>
        {
            item.Kind switch
            {
                ItemKind.Message => About("response.output_text.done", ("content_index", 0), ("text", item.Text), ("logprobs", item.Logprobs())),
                ItemKind.Reasoning => About("response.reasoning_text.done", ("content_index", 0), ("text", item.Text)),
                _ => About("response.function_call_arguments.done", ("arguments", item.Text)),
            },
        };
        if (item.Kind != ItemKind.Call)
            events.Add(About("response.content_part.done", ("content_index", 0), ("part", item.Part(isWhole: true))));
        events.Add(Event("response.output_item.done", ("output_index", _items.Count - 1), ("item", item.Whole())));
        return events;
    }

    /// <summary>An event of the open item.</summary>
    JsonObject About(string type, params ReadOnlySpan<(string Name, JsonNode? Value)> members) =>
        Event(type, [("item_id", _items[^1].Id), ("output_index", _items.Count - 1), .. members]);

    JsonObject Event(string type, params ReadOnlySpan<(string Name, JsonNode? Value)> members)
    {
        var happened = new JsonObject { ["type"] = type, ["sequence_number"] = _sequence++ };
        foreach (var (name, value) in members)
            happened[name] = value;
        return happened;
    }

    JsonObject Response(string status, Usage? usage) => new()
    {
        ["id"] = head.Id,
        ["object"] = "response",
        ["created_at"] = head.Created,
        ["status"] = status,
        ["error"] = null,
        ["incomplete_details"] = status == "incomplete" ? new JsonObject { ["reason"] = "max_output_tokens" } : null,
        ["instructions"] = request.Instructions,
        ["max_output_tokens"] = request.MaxOutputTokens,
        ["model"] = head.Model,
        ["output"] = new JsonArray([.. status == "in_progress" ? [] : _items.Select(item => item.Whole())]),
        ["parallel_tool_calls"] = Echo("parallel_tool_calls", true),
        ["previous_response_id"] = null,
        ["reasoning"] = Echo("reasoning", new JsonObject { ["effort"] = null, ["summary"] = null }),
        ["store"] = false,
        ["temperature"] = Echo("temperature", 1),
        ["text"] = Echo("text", new JsonObject { ["format"] = new JsonObject { ["type"] = "text" } }),
        ["tool_choice"] = Echo("tool_choice", "auto"),
        ["tools"] = Echo("tools", new JsonArray()),
        ["top_p"] = Echo("top_p", 1),
        ["truncation"] = "disabled",
        ["usage"] = usage is null ? null : UsageOf(usage),
        ["user"] = Echo("user", null),
        ["metadata"] = Echo("metadata", new JsonObject()),
        ["service_tier"] = "default",
    };

    JsonNode? Echo(string name, JsonNode? otherwise) => request.Said[name]?.DeepClone() ?? otherwise;

    JsonArray Logprobs(ChatLogprobs? logprobs) => request.WantsLogprobs && logprobs is not null
        ? JsonSerializer.SerializeToNode(logprobs, OpenAiJson.Plain.ChatLogprobs)!["content"]!.DeepClone().AsArray()
        : [];

    static JsonObject UsageOf(Usage usage) => new()
    {
        ["input_tokens"] = usage.PromptTokens,
        ["input_tokens_details"] = new JsonObject { ["cached_tokens"] = usage.CachedTokens },
        ["output_tokens"] = usage.CompletionTokens,
        ["output_tokens_details"] = new JsonObject { ["reasoning_tokens"] = usage.CompletionTokensDetails?.ReasoningTokens ?? 0 },
        ["total_tokens"] = usage.TotalTokens,
    };
}
