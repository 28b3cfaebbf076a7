namespace Serving.Scheduling.Drafting;

/// <summary>How many tokens may be guessed ahead of a sequence, and from what. A guess never changes what is said, only in how many steps.</summary>
/// <param name="Tokens">Most guesses of a step; 0 for none.</param>
public sealed record DraftOptions(int Tokens)
{
    /// <summary>Most guesses that anybody may ask for: beyond it nearly all are wrong, and constraints remember 64 tokens.</summary>
    public const int MostTokens = 32;

    /// <summary>Longest run of last tokens that may be looked up.</summary>
    public const int MostMatched = 64;

    /// <summary>Longest run of last tokens that is looked up among the earlier ones.</summary>
    public int LongestMatch { get; init; } = 5;

    /// <summary>Shortest run whose earlier occurrence is believed.</summary>
    public int ShortestMatch { get; init; } = 2;

    /// <summary>No guesses while more sequences than this are in a step, which then has rows enough to share the reading of weights.</summary>
    public int MostSequences { get; init; } = int.MaxValue;

    /// <summary>These options with another number of guesses; a length of runs that is not said follows the one that is.</summary>
    public DraftOptions With(int tokens, int? shortest, int? longest) => this with
    {
        Tokens = tokens,
        ShortestMatch = shortest ?? Math.Min(longest ?? int.MaxValue, ShortestMatch),
        LongestMatch = longest ?? Math.Max(shortest ?? 0, LongestMatch),
    };

    /// <summary>What is wrong with these options, for people; null for nothing.</summary>
    public (string Parameter, string Message)? Fault() =>
        Tokens is < 0 or > MostTokens ? ("num_speculative_tokens", $"num_speculative_tokens is {Tokens}; it must be between 0 and {MostTokens}.")
        : LongestMatch is < 1 or > MostMatched ? ("prompt_lookup_max", $"prompt_lookup_max is {LongestMatch}; it must be between 1 and {MostMatched}.")
        : ShortestMatch < 1 || ShortestMatch > LongestMatch
            ? ("prompt_lookup_min", $"prompt_lookup_min is {ShortestMatch}; it must be between 1 and prompt_lookup_max, {LongestMatch}.")
        : MostSequences < 1 ? ("disable_by_batch_size", $"disable_by_batch_size is {MostSequences}; it must be at least 1.")
        : null;
}
