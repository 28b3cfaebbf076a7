using System.Diagnostics;
using System.Net.Http.Json;
using Serving.Scheduling;

namespace Serving.Server.Bench;

/// <summary>What one way to an engine gave over all rounds: the median of its tokens a second, and the times to the first token.</summary>
sealed record WayCost(double TokensPerSecond, Percentiles FirstToken);

/// <summary>The server beside the engine that is in it, and the engine beside itself with a long queue.</summary>
/// <param name="Streams">Answers at once.</param>
/// <param name="Engine">The engine, asked directly.</param>
/// <param name="Http">The same requests as streams over HTTP.</param>
/// <param name="Waiting">Requests that waited.</param>
/// <param name="Alone">Tokens a second while nothing waited; 0 where it was not measured.</param>
/// <param name="WhileWaiting">The same while they waited.</param>
sealed record OverheadReport(int Streams, WayCost Engine, WayCost Http, int Waiting, double Alone, double WhileWaiting)
{
    /// <summary>Share of the engine's tokens a second that arrive over HTTP.</summary>
    public double Kept => Http.TokensPerSecond / Engine.TokensPerSecond;

    /// <summary>What HTTP adds to the 99th percentile of the time to the first token, in milliseconds.</summary>
    public double AddedFirstTokenMs => Http.FirstToken.P99 - Engine.FirstToken.P99;

    /// <summary>By which share the queue slows the engine.</summary>
    public double SlowedByQueue => Alone == 0 ? 0 : 1 - WhileWaiting / Alone;
}

/// <summary>
/// Sends the same requests to an engine and to the server around it, in turns in one process, so that what else the machine does falls on
/// both; then lets an engine decode with and without requests that wait. Client and server share the processors, as they would with a
/// client on the same machine.
/// </summary>
sealed class OverheadBench(LlmEngine engine, HttpClient http, string model, int streams, int tokens, int promptTokens)
{
    readonly int[][] _prompts = Prompts(new(1), engine.VocabularySize, streams, promptTokens);

    /// <summary>Both comparisons, each in turns.</summary>
    public async Task<OverheadReport> RunAsync(int repeats, int waiting, CancellationToken cancellation)
    {
        await RoundAsync(AskEngineAsync, cancellation);
        await RoundAsync(AskHttpAsync, cancellation);
        var (direct, server) = (new Way(), new Way());
        for (var repeat = 0; repeat < repeats; repeat++)
        {
            direct.Add(await RoundAsync(AskEngineAsync, cancellation));
            server.Add(await RoundAsync(AskHttpAsync, cancellation));
        }

        var (alone, queued) = (new List<double>(), new List<double>());
        for (var repeat = 0; repeat < repeats && waiting > 0; repeat++)
        {
            alone.Add(await DecodeBesideAsync(0, cancellation));
            queued.Add(await DecodeBesideAsync(waiting, cancellation));
        }

        return new(streams, direct.Cost, server.Cost, waiting, Median(alone), Median(queued));
    }

    /// <summary>All streams at once: each one's time to the first token, its tokens and its end, in seconds since the round's start.</summary>
    async Task<(double Rate, double[] First)> RoundAsync(Func<int, long, CancellationToken, Task<(double First, int Tokens)>> ask, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(Enumerable.Range(0, streams).Select(stream => Task.Run(() => ask(stream, Stopwatch.GetTimestamp(), cancellation), cancellation)));
        return (answers.Sum(answer => answer.Tokens) / Stopwatch.GetElapsedTime(started).TotalSeconds, [.. answers.Select(answer => answer.First)]);
    }

    async Task<(double First, int Tokens)> AskEngineAsync(int stream, long sent, CancellationToken cancellation)
    {
        using var generation = engine.Start(Request(_prompts[stream], tokens, 0), cancellation);
        var (first, count) = (0.0, 0);
        await foreach (var happened in generation.Events.ReadAllAsync(cancellation))
        {
            if (happened is not GenerationEvent.Token) continue;
            if (count++ == 0) first = Stopwatch.GetElapsedTime(sent).TotalSeconds;
        }

        return (first, count);
    }

    // Reads lines and no JSON: what a client does with its chunks is not the server's.
    async Task<(double First, int Tokens)> AskHttpAsync(int stream, long sent, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = JsonContent.Create(new OverheadAsk(model, _prompts[stream], tokens, 0, true, true, true), ServeBenchJson.Default.OverheadAsk),
        };
        using var reply = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        reply.EnsureSuccessStatusCode();
        using var lines = new StreamReader(await reply.Content.ReadAsStreamAsync(cancellation));
        var (first, count) = (0.0, 0);
        while (await lines.ReadLineAsync(cancellation) is { } line && line != "data: [DONE]")
        {
            // A chunk for each token: token ids are asked for, so that parts of characters come as well.
            if (!line.Contains("\"finish_reason\":null", StringComparison.Ordinal)) continue;
            if (count++ == 0) first = Stopwatch.GetElapsedTime(sent).TotalSeconds;
        }

        return (first, count);
    }

    /// <summary>Tokens a second of all streams from when others begin to wait until the first stream ends.</summary>
    async Task<double> DecodeBesideAsync(int waiting, CancellationToken cancellation)
    {
        var began = new CountdownEvent(streams);
        var running = Enumerable.Range(0, streams).Select(stream => Task.Run(() => TimesAsync(stream, began, cancellation), cancellation)).ToArray();
        await Task.Run(() => began.Wait(cancellation), cancellation);
        Generation[] queue = [.. Enumerable.Range(0, waiting).Select(_ => engine.Start(Request(_prompts[0][..1], 1, 1), cancellation))];
        // Taking them in is not waiting.
        while (engine.Figures.Waiting < waiting && !running.Any(task => task.IsCompleted)) await Task.Delay(1, cancellation);
        var from = Stopwatch.GetTimestamp();
        await Task.WhenAny(running);
        foreach (var generation in queue) generation.Cancel();
        var times = await Task.WhenAll(running);
        foreach (var generation in queue)
            await foreach (var _ in generation.Events.ReadAllAsync(cancellation)) { }
        var to = times.Min(own => own[^1]);
        return to <= from
            ? throw new InvalidOperationException("The answers ended before the requests that wait were there: give more --tokens.")
            : times.Sum(own => own.Count(time => time > from && time <= to)) / Stopwatch.GetElapsedTime(from, to).TotalSeconds;
    }

    async Task<List<long>> TimesAsync(int stream, CountdownEvent began, CancellationToken cancellation)
    {
        using var generation = engine.Start(Request(_prompts[stream], tokens, 0), cancellation);
        var times = new List<long>(tokens);
        await foreach (var happened in generation.Events.ReadAllAsync(cancellation))
        {
            if (happened is not GenerationEvent.Token) continue;
            times.Add(Stopwatch.GetTimestamp());
            if (times.Count == 1) began.Signal();
        }

        return times;
    }

    static GenerationRequest Request(int[] prompt, int tokens, int priority) =>
        new() { Prompt = [.. prompt], MaxTokens = tokens, Sampling = new() { Temperature = 0 }, Priority = priority };

    static int[][] Prompts(Random random, int vocabulary, int count, int length) =>
        [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(vocabulary)).ToArray())];

    static double Median(List<double> rates) => rates.Count == 0 ? 0 : rates.Order().ElementAt(rates.Count / 2);

    /// <summary>The rounds of one way.</summary>
    sealed class Way
    {
        readonly List<double> _rates = [], _first = [];

        public WayCost Cost => new(Median(_rates), Percentiles.Of(_first));

        public void Add((double Rate, double[] First) round)
        {
            _rates.Add(round.Rate);
            _first.AddRange(round.First);
        }
    }
}

/// <summary>The body of a request of the bench.</summary>
sealed record OverheadAsk(string Model, int[] Prompt, int MaxTokens, double Temperature, bool IgnoreEos, bool Stream, bool ReturnTokenIds);
