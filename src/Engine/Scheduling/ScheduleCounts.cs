namespace Serving.Scheduling;

/// <summary>What a scheduler did since its start; written by the engine's thread, read by any.</summary>
public sealed class ScheduleCounts
{
    /// <summary>Admissions, of which every one asks the tree of prefixes.</summary>
    public long Lookups { get; private set; }

    /// <summary>Admissions that shared at least one page.</summary>
    public long Hits { get; private set; }

    /// <summary>Tokens that admissions asked for.</summary>
    public long LookupTokens { get; private set; }

    /// <summary>Tokens whose rows were shared instead of computed.</summary>
    public long HitTokens { get; private set; }

    /// <summary>Sequences that lost their pages.</summary>
    public long Preemptions { get; private set; }

    /// <summary>Computed rows that were lost with them.</summary>
    public long PreemptedTokens { get; private set; }

    /// <summary>Computed rows that went to host memory instead.</summary>
    public long SwappedOutTokens { get; private set; }

    /// <summary>Computed rows that came back from there, or were found shared when they were to.</summary>
    public long SwappedInTokens { get; private set; }

    /// <summary>Admissions that could share nothing because every row of their prompt is reported.</summary>
    public long MissesReported { get; private set; }

    /// <summary>Admissions that could share nothing because they fill no page.</summary>
    public long MissesShort { get; private set; }

    /// <summary>Steps of sequences that held guesses.</summary>
    public long Drafts { get; private set; }

    /// <summary>Guesses that were computed.</summary>
    public long DraftedTokens { get; private set; }

    /// <summary>Guesses that turned out to be said.</summary>
    public long AcceptedTokens { get; private set; }

    /// <summary>How many of these were the first, second and so on of their step.</summary>
    public IReadOnlyList<long> AcceptedAt => _acceptedAt;

    readonly long[] _acceptedAt = new long[Drafting.DraftOptions.MostTokens];

    internal void Drafted(int guessed, int wrong)
    {
        Drafts++;
        DraftedTokens += guessed;
        AcceptedTokens += guessed - wrong;
        for (var i = 0; i < guessed - wrong; i++) _acceptedAt[i]++;
    }

    internal void Looked(Sequence sequence, int shared, bool reuse, int pageTokens)
    {
        Lookups++;
        LookupTokens += sequence.Known.Length;
        if (!reuse) MissesReported++;
        else if (sequence.Known.Length <= pageTokens) MissesShort++;
        if (shared == 0) return;
        Hits++;
        HitTokens += shared;
    }

    internal void Preempted(Sequence victim, bool swapped)
    {
        Preemptions++;
        if (swapped) SwappedOutTokens += victim.Computed;
        else PreemptedTokens += victim.Computed;
    }

    internal void Returned(Sequence sequence) => SwappedInTokens += sequence.Computed;
}
