using System.Collections.Immutable;
using Serving.Sampling;
using Serving.Scheduling.Drafting;

namespace Serving.Scheduling;

/// <summary>What a caller asks of the engine: token ids in, how to go on, and within which limits.</summary>
public sealed record GenerationRequest
{
    /// <summary>Token ids of the prompt; at least one.</summary>
    public required ImmutableArray<int> Prompt { get; init; }

    /// <summary>How tokens are chosen, and which of them end a continuation. Choice i draws with a seed made of this one and i.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Continuations, which share one computation of the prompt.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>Most tokens of a continuation; the rest of the context when null. 0 computes the prompt alone.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Who asks: callers that wait share the engine evenly, whatever each of them asks.</summary>
    public string Caller { get; init; } = "";

    /// <summary>Lower goes first among a caller's own.</summary>
    public int Priority { get; init; }

    /// <summary>Alternatives reported for each prompt token, 0 for its own log-probability alone; nothing when null.</summary>
    public int? PromptLogprobs { get; init; }

    /// <summary>Hidden state to report instead of a continuation.</summary>
    public Pooling Pooling { get; init; }

    /// <summary>Prefixes are shared only among requests with the same salt.</summary>
    public string CacheSalt { get; init; } = "";

    /// <summary>Makes the constraint of each choice, on the caller's thread; null for none.</summary>
    public Func<ITokenConstraint>? Constraint { get; init; }

    /// <summary>How the answer is guessed ahead; as the engine does by default when null.</summary>
    public DraftOptions? Drafting { get; init; }

    /// <summary>True when every row of the prompt is reported, so that none may be taken from the cache.</summary>
    internal bool ReportsPrompt => PromptLogprobs is not null || Pooling != Pooling.None;
}

/// <summary>Which hidden state a request wants.</summary>
public enum Pooling
{
    /// <summary>None: the request generates.</summary>
    None,

    /// <summary>That of the last prompt token.</summary>
    Last,

    /// <summary>The mean over prompt tokens, added in the order of positions.</summary>
    Mean,
}
