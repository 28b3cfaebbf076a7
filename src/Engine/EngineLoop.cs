using System.Collections.Immutable;
using System.Threading.Channels;
using Serving.Cache;
using Serving.Devices;
using Serving.Diagnostics;
using Serving.Model;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving;

/// <summary>
/// The engine's one thread: reads what callers sent, plans, computes, samples, commits and tells. Everything but
/// <see cref="Submit"/>, <see cref="Stop"/> and <see cref="Figures"/> belongs to that thread, so there are no locks.
/// </summary>
sealed class EngineLoop : IDisposable
{
    readonly IDecoder _decoder;
    readonly EngineOptions _options;
    readonly CacheLayout _layout;
    readonly EngineDiagnostics _diagnostics;
    readonly TimeProvider _clock;
    readonly EngineMetrics _metrics;
    readonly PageLedger _pages;
    readonly Scheduler _scheduler;
    readonly StepSampler _sampler;
    readonly StepInput _input;
    readonly Delivery _delivery;
    readonly PageCopies _copies;
    readonly Pace _pace = new();
    // The writer wakes the engine's thread itself: a thread pool that is busy would do so late.
    readonly Channel<Generation?> _inbox = Channel.CreateUnbounded<Generation?>(new() { SingleReader = true, AllowSynchronousContinuations = true });
    readonly Action<Generation> _wake;
    volatile bool _draining, _cancelling;
    long _steps, _rows;
    int _largestBatch;

    public EngineLoop(
        IDecoder decoder, CacheLayout layout, CacheSize size, EngineOptions options, EngineDiagnostics diagnostics, IDrafter? drafter = null)
    {
        (_decoder, _layout, _options, _diagnostics, _clock) = (decoder, layout, options.Checked(), diagnostics, diagnostics.Clock);
        if (options.PageTokens is { } tokens && tokens != layout.PageTokens)
            throw new ArgumentException($"PageTokens is {tokens}; the cache has pages of {layout.PageTokens}.", nameof(options));
        var longest = Math.Min(options.MaxModelLength ?? int.MaxValue, layout.LongestSequence(size.Pages, options.TokensPerStep));
        var sequences = layout.States.PlaceBytes > 0 ? Math.Min(options.MaxSequences, size.Places) : options.MaxSequences;
        Door = new(
            new(decoder.VocabularySize, longest, sequences, options.TokensPerStep)
            {
                ImageIds = options.ImageIds,
                MaxQueuedRequests = options.MaxQueuedRequests,
                MaxQueuedTokens = options.MaxQueuedTokens,
                MaxQueueTime = options.MaxQueueTime,
            }, layout, size.Pages, _pace);
        _pages = new(layout, size, options.EnablePrefixCaching, options.SnapshotTokens);
        _scheduler = new(_pages, sequences, options.TokensPerStep, drafter ?? new PromptLookup()) { SwapCost = options.SwapCost };
        _sampler = new(decoder);
        // A sequence has two runs where its execution changes or guesses begin, both where layers keep no states, and one more at each snapshot.
        _input = new(options.TokensPerStep, layout.States.PlaceBytes > 0 ? options.TokensPerStep : Math.Min(options.TokensPerStep, 2 * options.MaxSequences), size.Pages.Length);
        _copies = new(decoder, _pages);
        _metrics = new(diagnostics.Meters, () => Figures);
        _delivery = new(_scheduler, Door, _pace, _metrics, diagnostics);
        _wake = generation => _inbox.Writer.TryWrite(generation);
        EngineLog.CacheReady(diagnostics.Logger, layout.Describe(size.Pages) + layout.States.Describe(size), longest);
    }

    /// <summary>What is let in.</summary>
    public Door Door { get; }

    /// <summary>The books, for tests that recount them after every step.</summary>
    public PageLedger Pages => _pages;

    /// <summary>Who computes what, for tests.</summary>
    public Scheduler Scheduler => _scheduler;

    /// <summary>Takes a request in, on the caller's thread; throws RequestRefusedException.</summary>
    public Generation Submit(GenerationRequest request)
    {
        var limit = Door.Enter(request);
        try
        {
            var drafting = (request.Drafting ?? _options.Drafting) is { Tokens: > 0 } wanted ? wanted : null;
            var lead = new Sequence(request, limit, _pages.Groups.Length, _options.PathOf(request.Prompt.Length, limit), drafting);
            var generation = new Generation(lead, _wake, _clock.GetTimestamp());
            if (_inbox.Writer.TryWrite(generation)) return generation;
            throw new RequestRefusedException(RefusalReason.Stopping, "The engine has stopped and takes no new requests.");
        }
        catch
        {
            Door.Leave(request);
            throw;
        }
    }

    /// <summary>Lets what is in come to its end, or cancels it, and then <see cref="Run"/> returns.</summary>
    public void Stop(bool cancel)
    {
        Door.Close();
        _cancelling |= cancel;
        _draining = true;
        _inbox.Writer.TryWrite(null);
    }

    /// <summary>Works until <see cref="Stop"/>, and parks when there is nothing to do.</summary>
    public void Run()
    {
        var (reason, error) = (FinishReason.Cancelled, (string?)null);
        try
        {
            while (!_cancelling)
            {
                if (Step()) continue;
                if (_draining) break;
                _inbox.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult();
            }
        }
        catch (Exception exception)
        {
            EngineLog.LoopFailed(_diagnostics.Logger, exception);
            (reason, error) = (FinishReason.Failed, $"The engine stopped on an error of its own: {exception.Message}");
        }

        Door.Close();
        _inbox.Writer.Complete();
        ReadInbox();
        _delivery.EndAll(reason, error);
        EngineLog.Stopped(_diagnostics.Logger, _steps, _delivery.Tokens);
    }

    /// <summary>One step; false when there is nothing to compute.</summary>
    public bool Step()
    {
        ReadInbox();
        var started = _clock.GetTimestamp();
        _scheduler.PromptRows = _pace.PromptRows(_options.PromptStep, _options.TokensPerStep);
        var step = _scheduler.Plan();
        if (step.Rows == 0) return false;
        var planned = _clock.GetTimestamp();
        Draft();
        Fill(step);
        var (sequences, rows) = (step.Sequences.Length, step.Rows);
        long drafted = _clock.GetTimestamp(), computed = drafted;
        try
        {
            _copies.Flush();
            _decoder.Forward(_input);
            computed = _clock.GetTimestamp();
            var choices = _sampler.Sample(step);
            _scheduler.Commit();
            _delivery.Prompts(step, _copies);
            _copies.Flush();
            _delivery.Choices(choices);
        }
        catch (Exception exception)
        {
            EngineLog.StepFailed(_diagnostics.Logger, exception, rows, sequences);
            Fail(step, $"A step of {rows} rows for {sequences} sequences failed: {exception.Message}");
            if (exception is DeviceException { IsLost: true }) throw;
        }

        _pace.Stepped(rows, Door.Limits.MaxSequences - _scheduler.Running.Count, _clock.GetElapsedTime(started));
        (_steps, _rows, _largestBatch) = (_steps + 1, _rows + rows, Math.Max(_largestBatch, sequences));
        _metrics.Stepped(sequences, rows, new(
            _clock.GetElapsedTime(started, planned), _clock.GetElapsedTime(planned, drafted), _clock.GetElapsedTime(drafted, computed), _clock.GetElapsedTime(computed)));
        return true;
    }

    /// <summary>What the engine holds and has done; any thread may ask.</summary>
    public EngineFigures Figures => new()
    {
        Running = _scheduler.Running.Count,
        Waiting = _scheduler.Waiting,
        PagesHeld = _pages.Pools.Sum(pool => pool.Held),
        PagesCached = _pages.Pools.Sum(pool => pool.Cached),
        PagesFree = _pages.Pools.Sum(pool => pool.Empty),
        BytesHeld = Bytes(pool => pool.Held),
        BytesCached = Bytes(pool => pool.Cached),
        BytesFree = Bytes(pool => pool.Empty),
        TokenBytes = _layout.BytesPerToken,
        FullTokenBytes = _layout.FullBytesPerToken(_decoder.HiddenSize),
        ExpectedWait = Door.WaitOf(""),
        PromptTokens = _delivery.PromptTokens,
        PageTokens = _pages.PageTokens,
        CacheUsage = _pages.Pools.Max(pool => (double)pool.Held / pool.Pages),
        Steps = _steps,
        Rows = _rows,
        GeneratedTokens = _delivery.Tokens,
        LargestBatch = _largestBatch,
        PrefixLookups = _scheduler.Counts.Lookups,
        PrefixHits = _scheduler.Counts.Hits,
        PrefixLookupTokens = _scheduler.Counts.LookupTokens,
        PrefixHitTokens = _scheduler.Counts.HitTokens,
        PrefixMissesReported = _scheduler.Counts.MissesReported,
        PrefixMissesShort = _scheduler.Counts.MissesShort,
        PrefixMissesSnapshot = _pages.SnapshotMisses,
        SnapshotMissedTokens = _pages.SnapshotMissedTokens,
        SnapshotEvictions = _pages.SnapshotEvictions,
        Preemptions = _scheduler.Counts.Preemptions,
        PreemptedTokens = _scheduler.Counts.PreemptedTokens,
        SwappedOutTokens = _scheduler.Counts.SwappedOutTokens,
        SwappedInTokens = _scheduler.Counts.SwappedInTokens,
        SwappedOutBytes = _pages.Swap?.BytesOut ?? 0,
        SwappedInBytes = _pages.Swap?.BytesIn ?? 0,
        SwapBytesHeld = _pages.Swap?.BytesHeld ?? 0,
        Evictions = _pages.Evictions,
        Drafts = _scheduler.Counts.Drafts,
        DraftedTokens = _scheduler.Counts.DraftedTokens,
        AcceptedTokens = _scheduler.Counts.AcceptedTokens,
        AcceptedAt = _scheduler.Counts.AcceptedAt,
    };

    long Bytes(Func<PagePool, int> count) => _pages.Groups.Zip(_pages.Pools, (group, pool) => group.PageBytes * count(pool)).Sum();

    /// <summary>Ends the instruments.</summary>
    public void Dispose() => _metrics.Dispose();

    void ReadInbox()
    {
        while (_inbox.Reader.TryRead(out var generation))
        {
            if (generation is null) continue;
            if (!generation.Entered)
            {
                _delivery.Enter(generation);
                if (!generation.IsCancelled) _scheduler.Add(generation.Sequences[0]);
            }

            if (generation.IsCancelled) _delivery.End(generation, FinishReason.Cancelled);
            else _delivery.EndStopped(generation);
        }
    }

    void Draft()
    {
        try
        {
            _scheduler.Draft();
        }
        catch (Exception exception)
        {
            EngineLog.DraftFailed(_diagnostics.Logger, exception);
        }
    }

    void Fill(StepBatch step)
    {
        _input.Clear();
        foreach (var sequence in step.Sequences)
        {
            if (!sequence.Generation!.Started) _delivery.Started(sequence.Generation);
            var expanded = sequence.Computed + Math.Min(sequence.Rows, sequence.ToExpand);
            for (int from = sequence.Computed, end = from + sequence.Rows, to; from < end; from = to)
            {
                to = from < expanded ? expanded : end;
                if (sequence.Tables.BeforeDraft != StatePool.None && from < sequence.Settled) to = Math.Min(to, sequence.Settled);
                var snapshot = _pages.NextSnapshot(sequence.Tables, from, sequence.Request.Prompt.Length);
                var keeps = snapshot <= Math.Min(to, Math.Min(sequence.Shareable, sequence.Settled));
                if (keeps) to = snapshot;
                Fill(sequence, from, to, from < expanded,
                    keeps ? _pages.TakeSnapshot(sequence.Tables, to) : to == sequence.Settled ? sequence.Tables.BeforeDraft : StatePool.None);
            }
        }
    }

    void Fill(Sequence sequence, int from, int to, bool expanded, int snapshot)
    {
        _input.Add(sequence.Known[from..to], from, sequence.LengthLimit, expanded);
        _input.States.Add(sequence.Tables.Place, snapshot);
        for (var group = 0; group < _input.Pages.Length; group++) _input.Pages[group].Add(sequence.Tables[group].Entries);
    }

    void Fail(StepBatch step, string error)
    {
        _copies.Clear();
        foreach (var sequence in step.Sequences) _delivery.Fail(sequence, error);
    }
}
