namespace Serving.Scheduling.Drafting;

/// <summary>
/// Guesses that a sequence goes on as it did after the latest earlier occurrence of its last tokens, the longest that occurred before
/// (Saxena, prompt lookup decoding, 2023; n-grams of prompt and answer alike).
/// </summary>
public sealed class PromptLookup : IDrafter
{
    /// <inheritdoc/>
    public void Draft(ReadOnlySpan<Sequence> sequences)
    {
        foreach (var sequence in sequences)
        {
            // What is read may be a guess already: something that repeats itself goes on repeating.
            for (var from = Find(sequence.Known, sequence.Drafting!); from > 0 && sequence.Guess(sequence.Known[from]);) from++;
        }
    }

    /// <inheritdoc/>
    public void Forget(Sequence sequence)
    {
    }

    /// <summary>Index of the token behind the occurrence; 0 when there is none.</summary>
    public static int Find(ReadOnlySpan<int> known, DraftOptions options)
    {
        for (var length = Math.Min(options.LongestMatch, known.Length - 1); length >= options.ShortestMatch; length--)
            if (known[..^1].LastIndexOf(known[^length..]) is >= 0 and var found) return found + length;
        return 0;
    }
}
