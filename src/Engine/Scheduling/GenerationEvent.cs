using System.Collections.Immutable;
using Serving.Sampling;

namespace Serving.Scheduling;

/// <summary>Why a continuation ended.</summary>
public enum FinishReason
{
    /// <summary>A stop token, the caller's stop, a constraint after which nothing may follow, or a pooled state that is complete.</summary>
    Stop,

    /// <summary>The limit of tokens, or the context.</summary>
    Length,

    /// <summary>The caller left.</summary>
    Cancelled,

    /// <summary>The engine could not go on; <see cref="GenerationEvent.Finished.Error"/> says why.</summary>
    Failed,
}

/// <summary>What the engine reports of a generation, in order.</summary>
/// <param name="Choice">Which continuation, from 0.</param>
public abstract record GenerationEvent(int Choice)
{
    /// <summary>The prompt is computed. Comes first, once, with choice 0; a generation that ends before has none.</summary>
    /// <param name="CachedTokens">Prompt tokens whose rows were shared instead of computed.</param>
    /// <param name="Logprobs">With PromptLogprobs: one entry for each prompt token but the first.</param>
    public sealed record Prompt(int CachedTokens, ImmutableArray<SampledToken> Logprobs) : GenerationEvent(0);

    /// <summary>One more token. The stop token that ends a continuation is not among them.</summary>
    /// <param name="Choice">Which continuation.</param>
    /// <param name="Sampled">The token, its log-probability and alternatives.</param>
    public sealed record Token(int Choice, SampledToken Sampled) : GenerationEvent(Choice)
    {
        /// <summary>Whether it had been guessed, so that it took no step of its own.</summary>
        public bool Guessed { get; init; }
    }

    /// <summary>A pooled hidden state.</summary>
    /// <param name="Values">The values.</param>
    public sealed record Embedding(float[] Values) : GenerationEvent(0);

    /// <summary>The continuation's end; nothing of this choice follows.</summary>
    /// <param name="Choice">Which continuation.</param>
    /// <param name="Reason">Why.</param>
    public sealed record Finished(int Choice, FinishReason Reason) : GenerationEvent(Choice)
    {
        /// <summary>The token that ended the continuation; null when it was none.</summary>
        public int? StopToken { get; init; }

        /// <summary>For <see cref="FinishReason.Failed"/>, what happened.</summary>
        public string? Error { get; init; }
    }
}
