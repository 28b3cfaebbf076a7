using System.Collections.Frozen;
using System.Collections.Immutable;

namespace Serving.Sampling;

/// <summary>What is wrong with one sampling parameter: its name as requests spell it, and a sentence with the value and the range.</summary>
public sealed record SamplingFault(string Parameter, string Message);

/// <summary>How a token is picked from a row of logits; the defaults change nothing and draw from the model's own distribution.</summary>
public sealed record SamplingOptions
{
    /// <summary>The most alternatives that a request may ask for, as in the OpenAI protocol.</summary>
    public const int MaxLogprobs = 20;

    /// <summary>Divides the logits; 0 picks the best token, the lowest id among equals.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Keeps the smallest set of the most likely tokens whose probability reaches this; 0 keeps the best one, 1 keeps all.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Keeps this many of the most likely tokens; 0 or -1 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps tokens at least this share as likely as the best one; 0 keeps all, 1 the best and its equals.</summary>
    public float MinP { get; init; }

    /// <summary>
    /// Keeps the smallest set, of the tokens whose information is nearest to the entropy, whose probability reaches this; 1 keeps all.
    /// Locally typical sampling, Meister et al. 2022 (arXiv 2202.00666).
    /// </summary>
    public float TypicalP { get; init; } = 1;

    /// <summary>Divides positive and multiplies negative logits of tokens in the prompt or generated (Keskar et al. 2019); 1 is off.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted once from the logit of every generated token; the prompt does not count.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from a token's logit for every time it was generated; the prompt does not count.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to the logits of these tokens before everything else.</summary>
    public FrozenDictionary<int, float> LogitBias { get; init; } = FrozenDictionary<int, float>.Empty;

    /// <summary>Decides every draw together with the token's position.</summary>
    public long Seed { get; init; }

    /// <summary>How many alternatives to report, 0 for the chosen token's log-probability alone, or null for none of it.</summary>
    public int? Logprobs { get; init; }

    /// <summary>How many tokens are generated before a stop token may be chosen.</summary>
    public int MinTokens { get; init; }

    /// <summary>Tokens that end the generation, the checkpoint's end tokens among them unless IgnoreEos; masked until MinTokens.</summary>
    public ImmutableArray<int> StopTokenIds { get; init; } = [];

    /// <summary>The checkpoint's end tokens do not end the generation; read by whoever fills StopTokenIds, the sampler has no end tokens of its own.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>The only tokens that may be chosen, or null for all.</summary>
    public ImmutableArray<int>? AllowedTokenIds { get; init; }

    /// <summary>Tokens that are never chosen.</summary>
    public ImmutableArray<int> BannedTokenIds { get; init; } = [];

    /// <summary>Whether the best token is taken without a draw; only filters that always keep the best token come before such a cut.</summary>
    internal bool IsGreedy => Temperature == 0 || TopK == 1 || (TopP == 0 && TypicalP == 1);

    /// <summary>These options, or an ArgumentException that names the first parameter out of its range.</summary>
    public SamplingOptions Checked(int vocabulary) =>
        Fault(vocabulary) is { } fault ? throw new ArgumentException(fault.Message, fault.Parameter) : this;

    /// <summary>The first parameter out of its range for a vocabulary of this many tokens, or null when all are good.</summary>
    public SamplingFault? Fault(int vocabulary) =>
        Number("temperature", Temperature, 0, float.MaxValue)
        ?? Number("top_p", TopP, 0, 1)
        ?? Number("top_k", TopK, -1, int.MaxValue)
        ?? Number("min_p", MinP, 0, 1)
        ?? Number("typical_p", TypicalP, 0, 1)
        ?? Number("repetition_penalty", RepetitionPenalty, float.Epsilon, float.MaxValue)
        ?? Number("presence_penalty", PresencePenalty, -2, 2)
        ?? Number("frequency_penalty", FrequencyPenalty, -2, 2)
        ?? Number("logprobs", Logprobs ?? 0, 0, MaxLogprobs)
        ?? Number("min_tokens", MinTokens, 0, int.MaxValue)
        ?? Biases(vocabulary)
        ?? Tokens("stop_token_ids", StopTokenIds, vocabulary)
        ?? Tokens("bad_words_token_ids", BannedTokenIds, vocabulary)
        ?? Allowed(vocabulary);

    static SamplingFault? Number(string name, double value, double low, double high)
    {
        if (value >= low && value <= high)
            return null;
        var range = (low, high) switch
        {
            (float.Epsilon, _) => "a finite number above 0",
            (_, float.MaxValue) => $"a finite number of at least {low}",
            (_, int.MaxValue) => $"at least {low}",
            _ => $"between {low} and {high}",
        };
        return new(name, $"{name} is {value}; it must be {range}.");
    }

    static SamplingFault? Tokens(string name, ImmutableArray<int> ids, int vocabulary)
    {
        if (ids.IsDefault)
            return new(name, $"{name} is not set; give an empty list for none.");
        if (ids.Length > vocabulary)
            return new(name, $"{name} holds {ids.Length} ids; the vocabulary has {vocabulary} tokens.");
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)vocabulary)
                return new(name, $"{name} holds {id}; token ids lie between 0 and {vocabulary - 1}.");
        }

        return null;
    }

    SamplingFault? Allowed(int vocabulary) => AllowedTokenIds switch
    {
        null => null,
        { IsDefaultOrEmpty: true } => new("allowed_token_ids", "allowed_token_ids is empty, so no token could be chosen; leave it out to allow all."),
        { } ids => Tokens("allowed_token_ids", ids, vocabulary),
    };

    SamplingFault? Biases(int vocabulary)
    {
        const string Name = "logit_bias";
        foreach (var (id, bias) in LogitBias)
        {
            if ((uint)id >= (uint)vocabulary)
                return new(Name, $"{Name} names token {id}; token ids lie between 0 and {vocabulary - 1}.");
            if (!(bias >= -100 && bias <= 100))
                return new(Name, $"{Name} of token {id} is {bias}; it must be between -100 and 100.");
        }

        return null;
    }
}
