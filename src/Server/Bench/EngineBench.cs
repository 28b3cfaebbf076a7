using System.Diagnostics;
using Serving.Scheduling;

namespace Serving.Server.Bench;

/// <summary>What one measurement of the engine gave, in tokens a second: the median of its repeats, and their range.</summary>
sealed record Measured(string What, int Batch, double TokensPerSecond, double Least, double Most)
{
    /// <summary>What reading the cache adds to a step; null where it was not measured.</summary>
    public CacheCost? Cache { get; init; }
}

/// <summary>
/// What a step takes longer over long sequences than over short ones, by what it reads more: nanoseconds for all that a token leaves, and
/// for a byte of it.
/// </summary>
sealed record CacheCost(long Rows, long Bytes, double NanosecondsPerToken, double NanosecondsPerByte);

/// <summary>
/// Measures an engine without a server around it. Prompts are random ids, nothing is shared between sequences and nothing stops early, so
/// that every sequence takes the same number of steps.
/// </summary>
sealed class EngineBench(LlmEngine engine, int tokens, int promptTokens)
{
    /// <summary>Prompt tokens of short sequences, and the least length of those that are compared with them.</summary>
    const int Short = 16, Long = 256;

    readonly Random _ids = new(1);
    readonly Dictionary<(int Index, int Length), int[]> _prompts = [];

    /// <summary>What a token reads of the cache, tokens and bytes, by its position; null where nobody asks what reading takes.</summary>
    public Func<int, (long Rows, long Bytes)>? RowsAt { get; init; }

    /// <summary>Called after each measurement, of which a repeat has one for the prefill and one for each batch size.</summary>
    public Action Done { private get; set; } = () => { };

    /// <summary>Measures prefill and decode at every batch size, interleaved, <paramref name="repeats"/> times.</summary>
    public async Task<IReadOnlyList<Measured>> RunAsync(IReadOnlyList<int> batches, int prefill, int repeats, CancellationToken cancellation)
    {
        var rates = batches.ToDictionary(batch => batch, _ => (Long: new List<double>(), Short: new List<double>()));
        var prefills = new List<double>();
        var reads = RowsAt is not null && promptTokens >= Long;
        await DecodeAsync(batches[^1], cancellation);
        for (var repeat = 0; repeat < repeats; repeat++)
        {
            prefills.Add(await PrefillAsync(prefill, cancellation));
            Done();
            foreach (var batch in batches)
            {
                rates[batch].Long.Add(await DecodeAsync(batch, cancellation));
                if (reads) rates[batch].Short.Add(await DecodeAsync(batch, Short, cancellation));
                Done();
            }
        }
        return
        [
            Summary($"prefill {prefill}", 1, prefills),
            .. batches.Select(batch => Summary("decode", batch, rates[batch].Long) with { Cache = reads ? CostOf(batch, rates[batch]) : null }),
        ];
    }

    CacheCost CostOf(int batch, (List<double> Long, List<double> Short) rates)
    {
        var ((longRows, longBytes), (shortRows, shortBytes)) = (RowsAt!(promptTokens + tokens / 2), RowsAt(Short + tokens / 2));
        var (rows, bytes) = (batch * (longRows - shortRows), batch * (longBytes - shortBytes));
        rates.Short.Sort();
        var longer = 1e9 * batch * (1 / rates.Long[rates.Long.Count / 2] - 1 / rates.Short[rates.Short.Count / 2]);
        return new(rows, bytes, longer / rows, longer / bytes);
    }

    static Measured Summary(string what, int batch, List<double> rates)
    {
        rates.Sort();
        return new(what, batch, rates[rates.Count / 2], rates[0], rates[^1]);
    }

    /// <summary>Tokens a second of a prompt that nobody has seen.</summary>
    public async Task<double> PrefillAsync(int length, CancellationToken cancellation)
    {
        var prompt = Random(length);
        var started = Stopwatch.GetTimestamp();
        await RunOneAsync(prompt, 1, cancellation);
        return length / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <summary>
    /// Tokens a second while all sequences run: from the last one's first token to the first one's last. A sequence has the same prompt
    /// each time, so that repeats find its full pages; each has a prompt, and pages, of its own.
    /// </summary>
    public Task<double> DecodeAsync(int batch, CancellationToken cancellation) => DecodeAsync(batch, promptTokens, cancellation);

    async Task<double> DecodeAsync(int batch, int length, CancellationToken cancellation)
    {
        for (var i = 0; i < batch; i++) _prompts.TryAdd((i, length), Random(length));
        var times = await Task.WhenAll(Enumerable.Range(0, batch).Select(i => RunOneAsync(_prompts[(i, length)], tokens, cancellation)));
        var (from, to) = (times.Max(t => t[0]), times.Min(t => t[^1]));
        return times.Sum(t => t.Count(time => time > from && time <= to)) / Stopwatch.GetElapsedTime(from, to).TotalSeconds;
    }

    int[] Random(int length) => [.. Enumerable.Range(0, length).Select(_ => _ids.Next(engine.VocabularySize))];

    async Task<List<long>> RunOneAsync(int[] prompt, int wanted, CancellationToken cancellation)
    {
        using var generation = engine.Start(new() { Prompt = [.. prompt], MaxTokens = wanted, Sampling = new() { Temperature = 0 } }, cancellation);
        var times = new List<long>(wanted);
        await foreach (var happened in generation.Events.ReadAllAsync(cancellation))
        {
            if (happened is GenerationEvent.Token) times.Add(Stopwatch.GetTimestamp());
            else if (happened is GenerationEvent.Finished { Reason: FinishReason.Failed } end) throw new InvalidOperationException(end.Error);
        }
        return times;
    }
}
