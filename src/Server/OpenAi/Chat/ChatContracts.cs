using System.Text.Json;
using System.Text.Json.Serialization;

namespace Serving.Server.OpenAi;

/// <summary>The reply of POST /v1/chat/completions.</summary>
sealed record ChatCompletion(string Id, long Created, string Model, IReadOnlyList<ChatChoice> Choices, Usage Usage, string SystemFingerprint)
{
    public string Object { get; } = "chat.completion";

    public string ServiceTier { get; } = "default";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<Dictionary<string, PromptLogprob>?>? PromptLogprobs { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<int>? PromptTokenIds { get; init; }
}

/// <summary>One answer.</summary>
sealed record ChatChoice(int Index, ChatMessage Message, ChatLogprobs? Logprobs, string FinishReason)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<int>? TokenIds { get; init; }
}

/// <summary>What the model said; null where it only called tools.</summary>
sealed record ChatMessage(string? Content)
{
    [JsonPropertyOrder(-1)]
    public string Role { get; } = "assistant";

    public string? Refusal { get; }

    /// <summary>What the model thought, where its template has thoughts.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ReasoningContent { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ChatToolCall>? ToolCalls { get; init; }
}

/// <summary>A call of a tool, or in a stream a piece of one: the first piece has the id and the name.</summary>
sealed record ChatToolCall(ChatFunction Function)
{
    /// <summary>Which call of the message; in streams.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), JsonPropertyOrder(-3)]
    public int? Index { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), JsonPropertyOrder(-2)]
    public string? Id { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), JsonPropertyOrder(-1)]
    public string? Type { get; init; }
}

/// <summary>A function and its arguments, which are JSON as the model wrote it.</summary>
sealed record ChatFunction(string Arguments)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), JsonPropertyOrder(-1)]
    public string? Name { get; init; }
}

/// <summary>Log-probabilities of the tokens of a choice, or of a chunk.</summary>
sealed record ChatLogprobs(IReadOnlyList<ChatTokenLogprob> Content)
{
    public IReadOnlyList<ChatTokenLogprob>? Refusal { get; }
}

/// <summary>A token that may have been chosen: its text, as bytes too where it is part of a character.</summary>
record ChatAlternative(string Token, double Logprob, int[]? Bytes);

/// <summary>A token that was chosen, and what else was likely.</summary>
sealed record ChatTokenLogprob(string Token, double Logprob, int[]? Bytes, IReadOnlyList<ChatAlternative> TopLogprobs)
    : ChatAlternative(Token, Logprob, Bytes);

/// <summary>A piece of a streamed chat completion.</summary>
sealed record ChatChunk(string Id, long Created, string Model, IReadOnlyList<ChatChunkChoice> Choices, string SystemFingerprint)
{
    public string Object { get; } = "chat.completion.chunk";

    /// <summary>Absent unless the client asked for usage; then null in all but the last chunk.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Usage { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<int>? PromptTokenIds { get; init; }
}

/// <summary>What a chunk adds to a choice.</summary>
sealed record ChatChunkChoice(int Index, ChatDelta Delta, ChatLogprobs? Logprobs, string? FinishReason)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<int>? TokenIds { get; init; }
}

/// <summary>The part of the message that a chunk adds; the first has the role, the last nothing.</summary>
sealed record ChatDelta
{
    /// <summary>The beginning of an answer.</summary>
    public static ChatDelta First { get; } = new() { Role = "assistant", Content = "", Refusal = JsonElement.Parse("null"u8) };

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Role { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Content { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Refusal { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ReasoningContent { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ChatToolCall>? ToolCalls { get; init; }
}

/// <summary>Tokens counted; those of the prompt once, whatever the number of choices.</summary>
sealed record Usage(int PromptTokens, int CompletionTokens, int CachedTokens)
{
    public int TotalTokens => PromptTokens + CompletionTokens;

    public PromptTokensDetails PromptTokensDetails => new(CachedTokens);

    /// <summary>Absent where the model's template has no thoughts and nothing was to be guessed.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public CompletionTokensDetails? CompletionTokensDetails { get; init; }

    [JsonIgnore]
    public int CachedTokens { get; } = CachedTokens;
}

/// <summary>Tokens of thoughts, and tokens that had been guessed, each where there may be some.</summary>
sealed record CompletionTokensDetails
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? ReasoningTokens { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? AcceptedPredictionTokens { get; init; }
}

/// <summary>Prompt tokens that were computed before.</summary>
sealed record PromptTokensDetails(int CachedTokens);

/// <summary>A prompt token's log-probability and its place among all; null where the place was not looked up.</summary>
sealed record PromptLogprob(double Logprob, int? Rank, string? DecodedToken);
