using System.Text.Json.Serialization;

namespace Serving.Server.Bench;

/// <summary>What clients are promised: a request counts for the goodput when its first token and its mean gap keep within these seconds.</summary>
sealed record ServiceGoal(double FirstToken, double Gap)
{
    public bool IsKept(Seen seen) => seen is { Status: 200, FirstToken: { } first } && first <= FirstToken && (seen.Gaps.Count == 0 || seen.Gaps.Average() <= Gap);
}

/// <summary>Median, 90th and 99th percentile, in milliseconds.</summary>
sealed record Percentiles(double P50, double P90, double P99)
{
    public static Percentiles Of(IEnumerable<double> seconds)
    {
        var sorted = seconds.Order().ToArray();
        return sorted.Length == 0 ? new(0, 0, 0) : new(At(0.5), At(0.9), At(0.99));

        double At(double share) => Math.Round(sorted[(int)Math.Ceiling(share * sorted.Length) - 1] * 1000, 1);
    }
}

/// <summary>What a load gave.</summary>
sealed record Served(string Load, double Seconds, int Sent, int Answered, int Refused, int RefusedWithoutTime, int Failed)
{
    public required double RequestsPerSecond { get; init; }

    public required double TokensPerSecond { get; init; }

    /// <summary>Requests a second that kept the goal.</summary>
    public required double Goodput { get; init; }

    public required Percentiles FirstToken { get; init; }

    public required Percentiles Gap { get; init; }

    public required Percentiles Whole { get; init; }
}

/// <summary>Loads a server over HTTP: with clients who wait for their answers, or with requests that come whatever happens.</summary>
sealed class ServeBench(BenchClient client, ServiceGoal goal, int seed)
{
    int _number;

    /// <summary>Clients who send their next request when the last one is answered, or when a refusal says they may.</summary>
    public async Task<Served> ClosedAsync(int clients, double seconds, CancellationToken cancellation)
    {
        var started = client.Now;
        var seen = await Task.WhenAll(Enumerable.Range(0, clients).Select(async _ =>
        {
            var own = new List<Seen>();
            while (client.Now - started < seconds)
            {
                own.Add(await client.AskAsync(Interlocked.Increment(ref _number), cancellation));
                if (own[^1].Status != 200)
                    await Task.Delay(TimeSpan.FromSeconds(Math.Clamp(started + seconds - client.Now, 0.01, own[^1].RetryAfter ?? 1)), cancellation);
            }
            return own;
        }));
        return Summary($"{clients} clients", started, started + seconds, [.. seen.SelectMany(s => s)]);
    }

    /// <summary>Requests at random times (Poisson), as many a second on average as <paramref name="rate"/>.</summary>
    public async Task<Served> OpenAsync(double rate, double seconds, CancellationToken cancellation)
    {
        var (random, started, pending) = (new Random(seed), client.Now, new List<Task<Seen>>());
        for (var due = started; ; )
        {
            due += -Math.Log(1 - random.NextDouble()) / rate;
            if (due > started + seconds) break;
            if (due - client.Now is > 0 and var early) await Task.Delay(TimeSpan.FromSeconds(early), cancellation);
            pending.Add(client.AskAsync(Interlocked.Increment(ref _number), cancellation));
        }
        return Summary($"{rate:F2} requests/s", started, started + seconds, await Task.WhenAll(pending));
    }

    /// <summary>Rates count what ended within the time of the load; percentiles count every answer.</summary>
    Served Summary(string load, double from, double to, Seen[] seen)
    {
        var answered = seen.Where(s => s is { Status: 200, FirstToken: not null }).ToArray();
        var inTime = answered.Where(s => s.Ended <= to).ToArray();
        var (seconds, refused) = (to - from, seen.Where(s => s.Status == 429).ToArray());
        return new(load, Math.Round(seconds, 1), seen.Length, answered.Length, refused.Length, refused.Count(r => r.RetryAfter is null), seen.Length - answered.Length - refused.Length)
        {
            RequestsPerSecond = Math.Round(inTime.Length / seconds, 3),
            TokensPerSecond = Math.Round(inTime.Sum(s => s.Tokens) / seconds, 1),
            Goodput = Math.Round(inTime.Count(goal.IsKept) / seconds, 3),
            FirstToken = Percentiles.Of(answered.Select(s => s.FirstToken!.Value)),
            Gap = Percentiles.Of(answered.SelectMany(s => s.Gaps)),
            Whole = Percentiles.Of(answered.Select(s => s.Whole)),
        };
    }
}

/// <summary>What the bench of a server found: its loads, and with --overload what twice the capacity did.</summary>
sealed record ServeReport(string Url, string Model, ServiceGoal Goal, IReadOnlyList<Served> Loads)
{
    /// <summary>Requests a second that kept the goal at twice the capacity, beside the capacity itself: all that were answered by then.</summary>
    public double? KeptAtOverload { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ServeReport))]
[JsonSerializable(typeof(BenchAsk))]
[JsonSerializable(typeof(OverheadReport))]
[JsonSerializable(typeof(OverheadAsk))]
sealed partial class ServeBenchJson : JsonSerializerContext;
