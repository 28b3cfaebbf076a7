using System.Diagnostics.Metrics;

namespace Serving.Diagnostics;

/// <summary>Where a step's time went.</summary>
readonly record struct StepTimes(TimeSpan Schedule, TimeSpan Draft, TimeSpan Forward, TimeSpan Sample);

/// <summary>The engine's instruments: names that dashboards know where OpenTelemetry has some, seconds and counts everywhere.</summary>
sealed class EngineMetrics : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "Serving.Engine";

    static readonly KeyValuePair<string, object?>
        Schedule = new("phase", "schedule"), Draft = new("phase", "draft"), Forward = new("phase", "forward"), Sample = new("phase", "sample"),
        Unseen = new("reason", "unseen"), Short = new("reason", "short"), Reported = new("reason", "reported"), Snapshot = new("reason", "snapshot"),
        Held = new("state", "held"), Cached = new("state", "cached"), Free = new("state", "free");

    static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
    };

    static readonly InstrumentAdvice<int> Counts = new()
    {
        HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192],
    };

    readonly Meter? _own;
    readonly Histogram<double> _firstToken, _perToken, _interToken, _queue, _request, _step;
    readonly Histogram<int> _sequences, _rows;
    readonly Counter<long> _finished;

    /// <summary>Instruments of a factory's meter, or of one that ends with this object; figures are read when somebody looks.</summary>
    public EngineMetrics(IMeterFactory? meters, Func<EngineFigures> figures)
    {
        var meter = meters?.Create(MeterName) ?? (_own = new(MeterName));
        _firstToken = Duration("gen_ai.server.time_to_first_token", "From submission to the first token.");
        _perToken = Duration("gen_ai.server.time_per_output_token", "Mean time of a continuation's tokens after the first.");
        _request = Duration("gen_ai.server.request.duration", "From submission to a continuation's end.");
        _interToken = Duration("serving.inter_token.duration", "From one token of a continuation to the next.");
        _queue = Duration("serving.queue.duration", "From submission to the first step.");
        _step = Duration("serving.step.duration", "Time of a step, by phase.");
        _sequences = meter.CreateHistogram("serving.step.sequences", "{sequence}", "Sequences in a step.", null, Counts);
        _rows = meter.CreateHistogram("serving.step.tokens", "{token}", "Rows computed in a step.", null, Counts);
        _finished = meter.CreateCounter<long>("serving.finished", "{choice}", "Ended continuations, by reason.");
        Occupancy(meter, figures);
        Totals(meter, figures);

        Histogram<double> Duration(string name, string description) => meter.CreateHistogram(name, "s", description, null, Seconds);
    }

    /// <summary>A request had its first step.</summary>
    public void Started(TimeSpan queued) => _queue.Record(queued.TotalSeconds);

    /// <summary>A continuation's first token.</summary>
    public void FirstToken(TimeSpan sinceSubmission) => _firstToken.Record(sinceSubmission.TotalSeconds);

    /// <summary>A continuation's next token.</summary>
    public void NextToken(TimeSpan sinceLast) => _interToken.Record(sinceLast.TotalSeconds);

    /// <summary>A continuation's end; the time per token is null for one without a second token.</summary>
    public void Finished(string reason, TimeSpan sinceSubmission, TimeSpan? perToken)
    {
        _finished.Add(1, new KeyValuePair<string, object?>("reason", reason));
        _request.Record(sinceSubmission.TotalSeconds);
        if (perToken is { } mean) _perToken.Record(mean.TotalSeconds);
    }

    /// <summary>A computed step.</summary>
    public void Stepped(int sequences, int rows, StepTimes times)
    {
        _sequences.Record(sequences);
        _rows.Record(rows);
        _step.Record(times.Schedule.TotalSeconds, Schedule);
        _step.Record(times.Draft.TotalSeconds, Draft);
        _step.Record(times.Forward.TotalSeconds, Forward);
        _step.Record(times.Sample.TotalSeconds, Sample);
    }

    /// <inheritdoc/>
    public void Dispose() => _own?.Dispose();

    static void Occupancy(Meter meter, Func<EngineFigures> figures)
    {
        meter.CreateObservableGauge("serving.sequences.running", () => figures().Running, "{sequence}", "Sequences that hold pages.");
        meter.CreateObservableGauge("serving.sequences.waiting", () => figures().Waiting, "{sequence}", "Sequences that wait.");
        meter.CreateObservableGauge("serving.cache.usage", () => figures().CacheUsage, "1", "Share of pages held, in the fullest group.");
        meter.CreateObservableGauge("serving.cache.pages", () => ByState(1), "{page}", "Cache pages, by state.");
        meter.CreateObservableGauge("serving.cache.tokens", () => ByState(figures().PageTokens), "{token}", "Tokens that pages have room for.");

        meter.CreateObservableGauge("serving.cache.memory", () => Bytes(figures()), "By", "Bytes of cache pages, by state.");
        meter.CreateObservableGauge("serving.cache.token_size", () => figures().TokenBytes, "By", "Bytes of a token in all layers.");
        meter.CreateObservableGauge("serving.cache.full_token_size", () => figures().FullTokenBytes, "By",
            "Bytes of a token if every query head had a key and a value of its own.");
        meter.CreateObservableGauge("serving.cache.saved", () => Saved(figures()), "By", "Bytes that the pages in use would take more, had every query head its own.");
        meter.CreateObservableGauge("serving.swap.memory", () => figures().SwapBytesHeld, "By", "Bytes of host memory that waiting sequences hold.");
        meter.CreateObservableGauge("serving.queue.expected_wait", () => figures().ExpectedWait.TotalSeconds, "s", "How long a request that comes now is expected to wait.");

        IEnumerable<Measurement<long>> ByState(long factor)
        {
            var now = figures();
            return [new(now.PagesHeld * factor, Held), new(now.PagesCached * factor, Cached), new(now.PagesFree * factor, Free)];
        }

        static IEnumerable<Measurement<long>> Bytes(EngineFigures now) => [new(now.BytesHeld, Held), new(now.BytesCached, Cached), new(now.BytesFree, Free)];

        static double Saved(EngineFigures now) => (now.BytesHeld + now.BytesCached) * ((double)now.FullTokenBytes / Math.Max(1, now.TokenBytes) - 1);
    }

    static void Totals(Meter meter, Func<EngineFigures> figures)
    {
        Total("serving.steps", "{step}", "Steps computed.", now => now.Steps);
        Total("serving.tokens.computed", "{token}", "Rows computed.", now => now.Rows);
        Total("serving.tokens.prompt", "{token}", "Tokens of computed prompts.", now => now.PromptTokens);
        Total("serving.tokens.generated", "{token}", "Tokens generated.", now => now.GeneratedTokens);
        Total("serving.preemptions", "{preemption}", "Sequences that lost their pages to others.", now => now.Preemptions);
        Total("serving.preemptions.tokens", "{token}", "Computed rows lost with them.", now => now.PreemptedTokens);
        Total("serving.swap.out.tokens", "{token}", "Computed rows that went to host memory instead.", now => now.SwappedOutTokens);
        Total("serving.swap.in.tokens", "{token}", "Computed rows that came back from host memory.", now => now.SwappedInTokens);
        Total("serving.swap.out.bytes", "By", "Bytes that went to host memory.", now => now.SwappedOutBytes);
        Total("serving.swap.in.bytes", "By", "Bytes that came back from host memory.", now => now.SwappedInBytes);
        Total("serving.cache.evictions", "{page}", "Cached pages that were handed out again.", now => now.Evictions);
        Total("serving.drafts", "{step}", "Steps of sequences that held guesses.", now => now.Drafts);
        Total("serving.drafts.tokens", "{token}", "Guesses that were computed.", now => now.DraftedTokens);
        Total("serving.drafts.accepted", "{token}", "Guesses that turned out to be said.", now => now.AcceptedTokens);
        Total("serving.prefix.lookups", "{lookup}", "Admissions that asked for a shared prefix.", now => now.PrefixLookups);
        Total("serving.prefix.hits", "{lookup}", "Admissions that found one.", now => now.PrefixHits);
        Total("serving.prefix.lookup_tokens", "{token}", "Tokens that admissions asked for.", now => now.PrefixLookupTokens);
        Total("serving.prefix.hit_tokens", "{token}", "Tokens whose rows were shared instead of computed.", now => now.PrefixHitTokens);

        meter.CreateObservableCounter("serving.drafts.accepted_by_place", () => Places(figures()), "{token}", "Guesses that turned out to be said, by their place in the step.");        Total("serving.snapshots.missed_tokens", "{token}", "Tokens computed though their rows were cached, because no state was kept behind them.", now => now.SnapshotMissedTokens);
        Total("serving.snapshots.evictions", "{snapshot}", "Kept states that were written over.", now => now.SnapshotEvictions);

        meter.CreateObservableCounter("serving.prefix.misses", () => Misses(figures()), "{lookup}", "Admissions that found no shared prefix, by reason.");

        static IEnumerable<Measurement<long>> Misses(EngineFigures now) =>
            [new(now.PrefixMissesUnseen, Unseen), new(now.PrefixMissesShort, Short), new(now.PrefixMissesReported, Reported), new(now.PrefixMissesSnapshot, Snapshot)];

        static IEnumerable<Measurement<long>> Places(EngineFigures now) =>
            now.AcceptedAt.TakeWhile(accepted => accepted > 0).Select((accepted, place) => new Measurement<long>(accepted, new KeyValuePair<string, object?>("position", place)));

        void Total(string name, string unit, string description, Func<EngineFigures, long> figure) =>
            meter.CreateObservableCounter(name, () => figure(figures()), unit, description);
    }
}
