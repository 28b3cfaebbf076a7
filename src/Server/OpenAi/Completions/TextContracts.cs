using System.Text.Json;
using System.Text.Json.Serialization;

namespace Serving.Server.OpenAi;

/// <summary>The reply of POST /v1/completions, whole or a piece of a stream: both have one form.</summary>
sealed record TextCompletion(string Id, long Created, string Model, IReadOnlyList<TextChoice> Choices, string SystemFingerprint)
{
    public string Object { get; } = "text_completion";

    /// <summary>Absent in streams unless the client asked for it; then null in all but the last chunk.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Usage { get; init; }
}

/// <summary>One continuation of one prompt, or a piece of it.</summary>
sealed record TextChoice(int Index, string Text, TextLogprobs? Logprobs, string? FinishReason)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<int>? TokenIds { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<int>? PromptTokenIds { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<Dictionary<string, PromptLogprob>?>? PromptLogprobs { get; init; }
}

/// <summary>Tokens, their log-probabilities and where their text begins, in parallel lists; the first token of a prompt has no probability.</summary>
sealed record TextLogprobs(
    IReadOnlyList<string> Tokens,
    IReadOnlyList<double?> TokenLogprobs,
    IReadOnlyList<Dictionary<string, double>?> TopLogprobs,
    IReadOnlyList<int> TextOffset);
