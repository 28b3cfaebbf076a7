using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Serving.Tests;

/// <summary>Sends many requests, some at once, counts what occurred, and looks at memory as they go by.</summary>
sealed class FuzzTally(TestServer server, int seed)
{
    /// <summary>From so many requests on, everything must have occurred <see cref="Least"/> times.</summary>
    const int Full = 200_000, Least = 100;

    /// <summary>What may be in use more at the end than in the middle: pools of buffers and the like grow to what the busiest moment takes.</summary>
    const long MayGrow = 4 << 20;

    const int AtOnce = 8, Looks = 10;

    /// <summary>SERVING_FUZZ_REQUESTS sets their number.</summary>
    static int Requests => int.TryParse(Environment.GetEnvironmentVariable("SERVING_FUZZ_REQUESTS"), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : Environment.GetEnvironmentVariable("SERVING_TEST_ALL") == "true" ? 20_000 : 2_000;

    readonly ConcurrentDictionary<string, int> _seen = [];
    readonly List<long> _inUse = [];
    double _slowest;
    string _slowestName = "";

    public void Saw(string name) => _seen.AddOrUpdate(name, 1, (_, count) => count + 1);

    /// <summary>Fills the prefix cache, whose books grow with it, sends every request, and checks that nothing is held and that memory stays flat.</summary>
    public async Task RunAsync<T>(Func<T> next, Func<T, Task> check)
    {
        for (var i = 0; server.Engine.Figures.PagesFree > 0; i++)
            await FillAsync(i);
        for (var look = 0; look < Looks; look++)
        {
            for (var sent = 0; sent < Requests / Looks; sent += AtOnce)
                await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => next()).ToArray().Select(request => TimedAsync(request, check)));
            await server.IdleAsync();
            _inUse.Add(GC.GetTotalMemory(forceFullCollection: true));
        }
        var line = $"{Requests} requests, seed {seed}: {string.Join(", ", _seen.Where(s => !s.Key.StartsWith('/') && !s.Key.Contains(' ')).OrderBy(s => s.Key).Select(s => $"{s.Key} {s.Value}"))};"
            + $" KiB in use after each tenth: {string.Join(' ', _inUse.Select(bytes => bytes >> 10))}, with {server.Engine.Figures.PagesCached} pages cached; the slowest took {_slowest:F2} s: {_slowestName}";
        TestContext.Current.TestOutputHelper?.WriteLine(line);
        Assert.True(_inUse[^1] - _inUse[Looks / 2 - 1] < MayGrow, $"Memory grows (seed {seed}). {line}");
    }

    /// <summary>Checks that nothing was too rare, where there were enough requests for that.</summary>
    public void CheckSeen(IEnumerable<string> names)
    {
        var least = Requests >= Full ? Least : 0;
        var rare = names.Where(name => _seen.GetValueOrDefault(name) < least).Select(name => $"{name}: {_seen.GetValueOrDefault(name)}").ToArray();
        Assert.True(rare.Length == 0, $"Too rare (seed {seed}): {string.Join(", ", rare)}");
    }

    async Task FillAsync(int number)
    {
        using var generation = server.Engine.Start(new() { Prompt = [.. Enumerable.Range(0, 480).Select(place => (place * 7 + number) % 250)], MaxTokens = 1, CacheSalt = $"{number}" }, TestContext.Current.CancellationToken);
        await foreach (var happened in generation.Events.ReadAllAsync(TestContext.Current.CancellationToken))
            Assert.IsNotType<Scheduling.GenerationEvent.Embedding>(happened);
    }

    async Task TimedAsync<T>(T request, Func<T, Task> check)
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            await check(request);
        }
        catch (Exception error) when (error is TaskCanceledException or TimeoutException)
        {
            throw new TimeoutException($"No answer (seed {seed}) to {request}\n{server.Engine.Figures}; {ThreadPool.ThreadCount} threads, {ThreadPool.PendingWorkItemCount} items wait for one", error);
        }
        var took = Stopwatch.GetElapsedTime(started).TotalSeconds;
        lock (_inUse)
            if (took > _slowest)
                (_slowest, _slowestName) = (took, $"{request}");
    }
}
