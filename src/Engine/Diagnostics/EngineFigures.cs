namespace Serving.Diagnostics;

/// <summary>What the engine holds and has done, as of the last step.</summary>
public readonly record struct EngineFigures
{
    /// <summary>Sequences that hold pages.</summary>
    public int Running { get; init; }

    /// <summary>Sequences that wait for pages or a seat.</summary>
    public int Waiting { get; init; }

    /// <summary>Pages in tables, over all groups.</summary>
    public int PagesHeld { get; init; }

    /// <summary>Free pages whose rows can still be shared.</summary>
    public int PagesCached { get; init; }

    /// <summary>Free pages without content.</summary>
    public int PagesFree { get; init; }

    /// <summary>Bytes of pages in tables.</summary>
    public long BytesHeld { get; init; }

    /// <summary>Bytes of free pages whose rows can still be shared.</summary>
    public long BytesCached { get; init; }

    /// <summary>Bytes of free pages without content.</summary>
    public long BytesFree { get; init; }

    /// <summary>Bytes of a token in all layers.</summary>
    public double TokenBytes { get; init; }

    /// <summary>Bytes of a token if every query head had a key and a value of its own.</summary>
    public long FullTokenBytes { get; init; }

    /// <summary>How long a request that comes now is expected to wait.</summary>
    public TimeSpan ExpectedWait { get; init; }

    /// <summary>Prompt tokens of requests whose prompt was computed.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Admissions that found no prefix because every row of their prompt is reported.</summary>
    public long PrefixMissesReported { get; init; }

    /// <summary>Admissions that found no prefix because they fill no page.</summary>
    public long PrefixMissesShort { get; init; }

    /// <summary>Admissions that found no prefix because no state of a sequence was kept beside its rows.</summary>
    public long PrefixMissesSnapshot { get; init; }

    /// <summary>Admissions that found no prefix because none was cached.</summary>
    public long PrefixMissesUnseen => PrefixLookups - PrefixHits - PrefixMissesReported - PrefixMissesShort - PrefixMissesSnapshot;

    /// <summary>Tokens that were computed though their rows were cached, because the nearest kept state lay before them.</summary>
    public long SnapshotMissedTokens { get; init; }

    /// <summary>Kept states that were written over.</summary>
    public long SnapshotEvictions { get; init; }

    /// <summary>Tokens of a page.</summary>
    public int PageTokens { get; init; }

    /// <summary>Share of pages in tables, 0 to 1, in the fullest group.</summary>
    public double CacheUsage { get; init; }

    /// <summary>Steps computed.</summary>
    public long Steps { get; init; }

    /// <summary>Rows computed.</summary>
    public long Rows { get; init; }

    /// <summary>Tokens generated.</summary>
    public long GeneratedTokens { get; init; }

    /// <summary>Most sequences in one step.</summary>
    public int LargestBatch { get; init; }

    /// <summary>Admissions that asked for a shared prefix.</summary>
    public long PrefixLookups { get; init; }

    /// <summary>Admissions that found one.</summary>
    public long PrefixHits { get; init; }

    /// <summary>Tokens that admissions asked for.</summary>
    public long PrefixLookupTokens { get; init; }

    /// <summary>Tokens whose rows were shared instead of computed.</summary>
    public long PrefixHitTokens { get; init; }

    /// <summary>Sequences that lost their pages to others.</summary>
    public long Preemptions { get; init; }

    /// <summary>Computed rows that were lost with them.</summary>
    public long PreemptedTokens { get; init; }

    /// <summary>Computed rows that went to host memory instead.</summary>
    public long SwappedOutTokens { get; init; }

    /// <summary>Computed rows that came back from there.</summary>
    public long SwappedInTokens { get; init; }

    /// <summary>Bytes that went to host memory.</summary>
    public long SwappedOutBytes { get; init; }

    /// <summary>Bytes that came back.</summary>
    public long SwappedInBytes { get; init; }

    /// <summary>Bytes of host memory that waiting sequences hold.</summary>
    public long SwapBytesHeld { get; init; }

    /// <summary>Cached pages that were handed out again.</summary>
    public long Evictions { get; init; }

    /// <summary>Steps of sequences that held guesses.</summary>
    public long Drafts { get; init; }

    /// <summary>Guesses that were computed.</summary>
    public long DraftedTokens { get; init; }

    /// <summary>Guesses that turned out to be said.</summary>
    public long AcceptedTokens { get; init; }

    /// <summary>How many of these were the first, second and so on of their step.</summary>
    public IReadOnlyList<long> AcceptedAt { get; init; }
}
