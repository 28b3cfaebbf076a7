using System.Text.Json;

namespace Serving.Text.Templates;

/// <summary>What a chat template is rendered with. All of it but the tokens counts as content of the request.</summary>
public sealed record ChatTemplateInput
{
    /// <summary>The conversation: a JSON array of message objects.</summary>
    public required JsonElement Messages { get; init; }

    /// <summary>The tools the model may call, a JSON array; none where null.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>Documents for templates that take them, a JSON array; none where null.</summary>
    public JsonElement? Documents { get; init; }

    /// <summary>Whether the prompt ends with the opening of the assistant's next message.</summary>
    public bool AddGenerationPrompt { get; init; }

    /// <summary>Whether the prompt ends inside the last message, for the model to continue it.</summary>
    public bool ContinueFinalMessage { get; init; }

    /// <summary>The text of the token that begins a sequence; undefined in the template where null.</summary>
    public string? BosToken { get; init; }

    /// <summary>The text of the token that ends a sequence; undefined in the template where null.</summary>
    public string? EosToken { get; init; }

    /// <summary>Further variables of the template, as <c>enable_thinking</c>; they win over the ones above.</summary>
    public IReadOnlyDictionary<string, JsonElement> Variables { get; init; } = new Dictionary<string, JsonElement>();

    /// <summary>Whether arguments of tool calls that come as JSON text are handed to the template as the objects they spell, which most
    /// templates need.</summary>
    public bool ParseToolArguments { get; init; } = true;

    /// <summary>The clock that <c>strftime_now</c> reads, in its local time zone.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
