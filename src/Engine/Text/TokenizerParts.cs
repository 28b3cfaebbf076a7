namespace Serving.Text;

/// <summary>The tokens with a role at the ends of a text, each where its source names one.</summary>
readonly record struct EndTokens(int? Begin, int? End, int? Turn, int? Message, int? Padding);

/// <summary>What a source must give to make a tokenizer.</summary>
sealed record TokenizerParts
{
    public required Vocabulary Vocabulary { get; init; }
    public required DecodeRules DecodeRules { get; init; }
    public required WordModel Model { get; init; }

    /// <summary>Added tokens found in the text as it stands.</summary>
    public required AddedTokens Raw { get; init; }

    /// <summary>Added tokens found after normalising.</summary>
    public AddedTokens Normalized { get; init; } = new([]);

    public Rewriter[] Normalizers { get; init; } = [];

    /// <summary>Rewrites each stretch between added tokens after normalising.</summary>
    public Rewriter? BeforeWords { get; init; }

    /// <summary>Cut the text into the words that merging never crosses, each the pieces of the one before.</summary>
    public Splitter[] Splitters { get; init; } = [];
    public int[] Prefix { get; init; } = [];
    public int[] Suffix { get; init; } = [];
    public EndTokens Ends { get; init; }
}
