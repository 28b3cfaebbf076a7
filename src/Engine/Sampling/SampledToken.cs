using System.Collections.Immutable;

namespace Serving.Sampling;

/// <summary>How sampling a row of logits ended.</summary>
public enum SampleOutcome
{
    /// <summary>Every token is masked, or the row is empty: there is nothing to choose from.</summary>
    NothingAllowed,

    /// <summary>A token was chosen.</summary>
    Chosen,

    /// <summary>The row holds a NaN or a positive infinity, as computed or after penalties: no choice would mean anything.</summary>
    NotFinite,
}

/// <summary>A token with the natural logarithm of its probability; negative infinity for a token that the model rules out.</summary>
public readonly record struct TokenLogprob(int Id, float Logprob);

/// <summary>The outcome of sampling one row: a token with its log-probabilities, or the reason why there is none.</summary>
public readonly record struct SampledToken
{
    readonly int _id;

    SampledToken(SampleOutcome outcome, int id) => (Outcome, _id) = (outcome, id);

    /// <summary>Whether a token was chosen, and if not, why.</summary>
    public SampleOutcome Outcome { get; }

    /// <summary>The chosen token; reading it throws InvalidOperationException when none was chosen.</summary>
    public int Id => Outcome == SampleOutcome.Chosen
        ? _id
        : throw new InvalidOperationException($"No token was chosen ({Outcome}): look at Outcome before Id.");

    /// <summary>The chosen token's log-probability under the raw logits; null unless SamplingOptions.Logprobs asks for it.</summary>
    public float? Logprob { get; internal init; }

    /// <summary>
    /// The most likely tokens under the raw logits, best first, ties by id; the chosen token follows when it is not among them.
    /// Empty when SamplingOptions.Logprobs is null or 0.
    /// </summary>
    public ImmutableArray<TokenLogprob> Alternatives { get; internal init; } = [];

    internal static SampledToken Chosen(int id) => new(SampleOutcome.Chosen, id);

    internal static SampledToken Failed(SampleOutcome outcome) => new(outcome, 0);
}
