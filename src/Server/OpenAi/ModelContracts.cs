using System.Text.Json.Serialization;

namespace Serving.Server.OpenAi;

/// <summary>The reply of GET /v1/models.</summary>
sealed record ModelList(IReadOnlyList<ModelEntry> Data)
{
    public string Object { get; } = "list";
}

/// <summary>One name under which the model is served.</summary>
sealed record ModelEntry(string Id, long Created, int MaxModelLen)
{
    public string Object { get; } = "model";

    public string OwnedBy { get; } = "serving";
}

/// <summary>The reply of POST /tokenize.</summary>
sealed record TokenizeReply(int Count, int MaxModelLen, IReadOnlyList<int> Tokens)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? TokenStrs { get; init; }
}

/// <summary>The reply of POST /detokenize.</summary>
sealed record DetokenizeReply(string Prompt);
