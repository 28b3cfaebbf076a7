using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;

namespace Serving.Tests;

/// <summary>
/// Requests that are wrong in every way: whatever comes, the answer is a reply or a refusal of the client, and nothing stays behind.
/// SERVING_FUZZ_REQUESTS sets their number; from 200,000 on every route, field and code must have occurred a hundred times.
/// </summary>
[Collection(nameof(Alone))]
public sealed class FuzzTests
{
    const int Seed = 20261121;
    const int Full = 200_000;

    static readonly string[] Codes =
    [
        "missing_required_parameter", "invalid_type", "integer_below_min_value", "integer_above_max_value", "decimal_below_min_value", "decimal_above_max_value",
        "array_above_max_length", "empty_array", "string_above_max_length", "empty_string", "invalid_value", "unsupported_parameter", "unsupported_value",
        "unknown_parameter", "invalid_parameter_combination", "context_length_exceeded", "model_not_found", "unknown_url", "method_not_supported",
        "request_too_large", "unsupported_media_type", "invalid_api_key",
    ];

    static int Requests => int.TryParse(Environment.GetEnvironmentVariable("SERVING_FUZZ_REQUESTS"), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : Environment.GetEnvironmentVariable("SERVING_TEST_ALL") == "true" ? 20_000 : 2_000;

    readonly ConcurrentDictionary<string, int> _seen = [];

    [Fact]
    public async Task No_request_breaks_the_server_or_leaves_something_behind()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKeys = [RequestFuzz.Key], MaxRequestBytes = RequestFuzz.MaxBody });
        var fuzz = new RequestFuzz(new(Seed));
        await SendAsync(server, fuzz, Requests / 10);
        await server.IdleAsync();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        await SendAsync(server, fuzz, Requests - Requests / 10);
        await server.IdleAsync();
        var grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.True(grown < 8 << 20, $"{grown} bytes more are in use after {Requests} requests (seed {Seed}).");
        var least = Requests >= Full ? 100 : 0;
        var rare = RequestFuzz.Everything.Concat(Codes).Where(name => _seen.GetValueOrDefault(name) < least).Select(name => $"{name}: {_seen.GetValueOrDefault(name)}").ToArray();
        Assert.True(rare.Length == 0, $"Too rare (seed {Seed}): {string.Join(", ", rare)}");
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{Requests} requests, seed {Seed}: {string.Join(", ", _seen.Where(s => !s.Key.StartsWith('/')).OrderBy(s => s.Key).Select(s => $"{s.Key} {s.Value}"))}; {grown} bytes grown");
    }

    async Task SendAsync(TestServer server, RequestFuzz fuzz, int number)
    {
        const int AtOnce = 8;
        for (var sent = 0; sent < number; sent += AtOnce)
            await Task.WhenAll(Enumerable.Range(0, Math.Min(AtOnce, number - sent)).Select(_ => fuzz.Next()).ToArray().Select(request => CheckAsync(server, request)));
    }

    static async Task<(int Status, string Text)> ReplyAsync(TestServer server, FuzzRequest request)
    {
        try
        {
            using var message = request.Message();
            using var reply = await server.SendAsync(message);
            return ((int)reply.StatusCode, await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
        {
            return (0, error.ToString());
        }
    }

    async Task CheckAsync(TestServer server, FuzzRequest request)
    {
        var (status, text) = await ReplyAsync(server, request);
        // The server closes on a client that still sends what is too much: the refusal may get lost on the way.
        if (status == 0 && request.Body?.Length > RequestFuzz.MaxBody) return;
        Assert.True(status is 200 or (>= 400 and < 500 and not 422), $"{status} (seed {Seed}) to {request}\n{text}");
        foreach (var name in request.Fields.Prepend(request.Route))
            _seen.AddOrUpdate(name, 1, (_, count) => count + 1);
        _seen.AddOrUpdate($"{status}", 1, (_, count) => count + 1);
        if (status == 200) return;
        var error = JsonDocument.Parse(text).RootElement.GetProperty("error");
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
        _seen.AddOrUpdate(error.GetProperty("code").GetString() ?? "none", 1, (_, count) => count + 1);
    }
}
