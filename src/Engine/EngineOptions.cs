using System.Collections.Immutable;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving;

/// <summary>Every knob of the engine, each with its default and its reason.</summary>
public sealed record EngineOptions
{
    /// <summary>Most sequences that run at once. 128: beyond it a step's rows no longer share the reading of weights much better.</summary>
    public int MaxSequences { get; init; } = 128;

    /// <summary>Most rows of a step. 512: enough to keep the arithmetic busy, and a long prompt delays nobody for long.</summary>
    public int TokensPerStep { get; init; } = 512;

    /// <summary>
    /// Time that a step with prompts should take while other sequences generate, which wait for all of it: prompts are cut by the speed that
    /// was measured. 250 ms: answers go on four times a second beside any prompt, as far as the 64 rows allow that keep the arithmetic busy.
    /// </summary>
    public TimeSpan PromptStep { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// Tokens of a cache page; 64 when null, or the next number that holds whole rows where tokens share rows. 64: the grain in which
    /// prefixes are shared; a sequence loses half a page on average.
    /// </summary>
    public int? PageTokens { get; init; }

    /// <summary>How cached values are stored. bfloat16: half of float32's memory, with the range of the activations.</summary>
    public CacheType CacheType { get; init; } = CacheType.BFloat16;

    /// <summary>Whether float32 and float16 matrices are rounded to bfloat16 when they are loaded. Off: weights stay as they are stored.</summary>
    public bool RoundWeights { get; init; }

    /// <summary>Bytes of the cache; half of what the device has left after the weights when null.</summary>
    public long? CacheBytes { get; init; }

    /// <summary>Longest sequence, prompt and continuation; the model's own limit when null. What the cache cannot hold lowers it.</summary>
    public int? MaxModelLength { get; init; }

    /// <summary>Whether full pages are shared between requests that begin alike. On: it costs a hash a page.</summary>
    public bool EnablePrefixCaching { get; init; } = true;

    /// <summary>
    /// Tokens from one snapshot of a sequence's states to the next, for models whose layers keep states; one more is taken at the end of
    /// the prompt. 1024: a prefix hit computes at most so many tokens anew, and a copy of all states is seldom.
    /// </summary>
    public int SnapshotTokens { get; init; } = 1024;

    /// <summary>Bytes of the cache that snapshots of states may take; an eighth of it when null.</summary>
    public long? SnapshotBytes { get; init; }

    /// <summary>
    /// Bytes of host memory for the rows of sequences that have to give their pages up, so that they are copied back instead of computed again
    /// where that takes less time. Null, none: a device that is the host has no memory beside its own.
    /// </summary>
    public long? SwapBytes { get; init; }

    /// <summary>Requests that may wait for their first step. 4096: more would wait longer than callers do.</summary>
    public int MaxQueuedRequests { get; init; } = 4096;

    /// <summary>Prompt tokens that may wait with them. 8 Mi, which bounds the memory of the queue.</summary>
    public long MaxQueuedTokens { get; init; } = 8 << 20;

    /// <summary>
    /// Longest that a request may be expected to wait for its first step, at the measured pace. A minute: callers' own patience ends about
    /// there, and work for those who left is lost.
    /// </summary>
    public TimeSpan MaxQueueTime { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How prompts are executed by layers that cache latents. Auto: by what a prompt's length makes cheaper.</summary>
    public Execution Execution { get; init; }

    /// <summary>
    /// How answers are guessed ahead where a request does not say. Null, not at all: guesses that turn out wrong cost rows, and whether texts
    /// repeat themselves is known to their owners.
    /// </summary>
    public DraftOptions? Drafting { get; init; }

    /// <summary>
    /// From a prompt's length and the most tokens its sequences may reach to what decides the rounding of their rows (model, device,
    /// execution): pages are shared only under the same label. A loaded model sets it.
    /// </summary>
    internal Func<int, int, NumericPath> PathOf { get; init; } = static (_, _) => new("");

    /// <summary>By what it is decided whether rows are swapped. A loaded model sets it.</summary>
    internal SwapCost? SwapCost { get; init; }

    /// <summary>Ids that stand for parts of images, which are not served. A loaded model sets them.</summary>
    internal ImmutableArray<int> ImageIds { get; init; } = [];

    /// <summary>These options, or an ArgumentException that names the first one out of range.</summary>
    public EngineOptions Checked()
    {
        InRange(nameof(MaxSequences), MaxSequences, 1, 65_536);
        InRange(nameof(TokensPerStep), TokensPerStep, MaxSequences, 1 << 20, ", so that each running sequence gets its row");
        InRange(nameof(PromptStep), PromptStep.Ticks, 1, long.MaxValue);
        InRange(nameof(PageTokens), PageTokens ?? 1, 1, 65_536);
        InRange(nameof(CacheBytes), CacheBytes ?? 1, 1, long.MaxValue);
        InRange(nameof(SnapshotTokens), SnapshotTokens, 1, 1 << 30);
        InRange(nameof(SnapshotBytes), SnapshotBytes ?? 0, 0, long.MaxValue);
        InRange(nameof(SwapBytes), SwapBytes ?? 1, 1, long.MaxValue);
        InRange(nameof(MaxModelLength), MaxModelLength ?? 2, 2, 1 << 30);
        InRange(nameof(MaxQueuedRequests), MaxQueuedRequests, 1, int.MaxValue);
        InRange(nameof(MaxQueuedTokens), MaxQueuedTokens, 1, long.MaxValue);
        InRange(nameof(MaxQueueTime), MaxQueueTime.Ticks, 1, long.MaxValue);
        if (!Enum.IsDefined(Execution))
            throw new ArgumentException($"{nameof(Execution)} is {(int)Execution}; it is one of {string.Join(", ", Enum.GetNames<Execution>())}.");
        if (Drafting?.Fault() is { } fault) throw new ArgumentException(fault.Message, nameof(Drafting));
        ArgumentNullException.ThrowIfNull(PathOf);
        return this;
    }

    static void InRange(string option, long value, long low, long high, string reason = "")
    {
        if (value < low || value > high)
            throw new ArgumentException($"{option} is {value}; it must lie between {low} and {high}{reason}.", option);
    }
}
