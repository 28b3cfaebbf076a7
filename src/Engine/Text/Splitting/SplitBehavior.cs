namespace Serving.Text;

/// <summary>What becomes of a match of a split pattern.</summary>
enum SplitKind
{
    /// <summary>It vanishes.</summary>
    Removed,
    /// <summary>It is a piece of its own.</summary>
    Isolated,
    /// <summary>It ends the piece before it.</summary>
    MergedWithPrevious,
    /// <summary>It begins the piece after it.</summary>
    MergedWithNext,
    /// <summary>It is one piece with the matches beside it.</summary>
    Contiguous,
}

/// <summary>What becomes of matches; <paramref name="Invert"/> swaps them with the text between.</summary>
readonly record struct SplitBehavior(SplitKind Kind, bool Invert = false)
{
    public static SplitBehavior Isolated => new(SplitKind.Isolated);

    /// <summary>Whether neighbours are one piece.</summary>
    public bool Joins(bool leftMatches, bool rightMatches) => Kind switch
    {
        SplitKind.Contiguous => leftMatches == rightMatches,
        SplitKind.MergedWithPrevious => !leftMatches && rightMatches,
        SplitKind.MergedWithNext => leftMatches && !rightMatches,
        _ => false,
    };

    public bool Keeps(bool matches) => !(matches && Kind == SplitKind.Removed);
}
