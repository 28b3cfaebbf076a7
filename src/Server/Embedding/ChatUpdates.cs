using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Serving.Server.OpenAi;

namespace Serving.Server.Embedding;

/// <summary>
/// Pieces of a streamed chat completion as Microsoft.Extensions.AI has them: text and thoughts as they come, calls when their arguments are whole.
/// </summary>
sealed class ChatUpdates
{
    readonly List<AIContent> _contents = [];
    readonly StringBuilder _arguments = new();
    (string Id, string Name)? _call;

    /// <summary>What a chunk adds; null when it adds nothing that a caller in .NET is told yet.</summary>
    public ChatResponseUpdate? Of(ChatChunk chunk)
    {
        if (chunk.Choices is not [var choice])
            return null;
        if (choice.Delta.ReasoningContent is { Length: > 0 } thought)
            _contents.Add(new TextReasoningContent(thought));
        if (choice.Delta.Content is { Length: > 0 } text)
            _contents.Add(new TextContent(text));
        foreach (var call in choice.Delta.ToolCalls ?? [])
            Add(call);
        if (choice.FinishReason is not null)
            EndCall();
        if (_contents.Count == 0 && choice.FinishReason is null)
            return null;
        var update = new ChatResponseUpdate(ChatRole.Assistant, [.. _contents])
        {
            FinishReason = choice.FinishReason is { } name ? new ChatFinishReason(name) : null,
        };
        _contents.Clear();
        return update;
    }

    public static UsageDetails UsageOf(Usage usage) => new()
    {
        InputTokenCount = usage.PromptTokens,
        OutputTokenCount = usage.CompletionTokens,
        TotalTokenCount = usage.TotalTokens,
        CachedInputTokenCount = usage.CachedTokens,
        ReasoningTokenCount = usage.CompletionTokensDetails?.ReasoningTokens,
    };

    void Add(ChatToolCall piece)
    {
        if (piece.Id is { } id)
        {
            EndCall();
            _call = (id, piece.Function.Name ?? "");
        }
        _arguments.Append(piece.Function.Arguments);
    }

    void EndCall()
    {
        if (_call is not { } call)
            return;
        _contents.Add(FunctionCallContent.CreateFromParsedArguments(_arguments.ToString(), call.Id, call.Name, static json =>
            (IDictionary<string, object?>?)JsonSerializer.Deserialize(json, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>)))));
        _call = null;
        _arguments.Clear();
    }
}
