using Microsoft.Extensions.AI;
using Serving.Server.OpenAi;

namespace Serving.Server.Embedding;

/// <summary>Pieces of a streamed chat completion as Microsoft.Extensions.AI has them.</summary>
static class ChatUpdates
{
    /// <summary>What a chunk adds; null when it adds nothing that a caller in .NET is told.</summary>
    public static ChatResponseUpdate? Of(ChatChunk chunk)
    {
        if (chunk.Choices is not [var choice])
            return null;
        var reason = choice.FinishReason is { } name ? new ChatFinishReason(name) : (ChatFinishReason?)null;
        return choice.Delta.Content is { Length: > 0 } text
            ? new(ChatRole.Assistant, text) { FinishReason = reason }
            : reason is null ? null : new() { Role = ChatRole.Assistant, FinishReason = reason };
    }

    public static UsageDetails UsageOf(Usage usage) => new()
    {
        InputTokenCount = usage.PromptTokens,
        OutputTokenCount = usage.CompletionTokens,
        TotalTokenCount = usage.TotalTokens,
        CachedInputTokenCount = usage.CachedTokens,
    };
}
