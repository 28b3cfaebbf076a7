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

    static readonly string[] Codes =
    [
        "missing_required_parameter", "invalid_type", "integer_below_min_value", "integer_above_max_value", "decimal_below_min_value", "decimal_above_max_value",
        "array_above_max_length", "empty_array", "string_above_max_length", "empty_string", "invalid_value", "unsupported_parameter", "unsupported_value",
        "unknown_parameter", "invalid_parameter_combination", "context_length_exceeded", "model_not_found", "unknown_url", "method_not_supported",
        "request_too_large", "unsupported_media_type", "invalid_api_key",
    ];

    [Fact]
    public async Task No_request_breaks_the_server_or_leaves_something_behind()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKeys = [RequestFuzz.Key], MaxRequestBytes = RequestFuzz.MaxBody });
        var (fuzz, tally) = (new RequestFuzz(new(Seed)), new FuzzTally(server, Seed));
        await tally.RunAsync(fuzz.Next, request => CheckAsync(server, request, tally));
        tally.CheckSeen(RequestFuzz.Everything.Concat(Codes));
    }

    static async Task CheckAsync(TestServer server, FuzzRequest request, FuzzTally tally)
    {
        var (status, text) = await ReplyAsync(server, request);
        if (status == 0)
        {
            // The server closes on a client that still sends what is too much: the refusal may get lost on the way.
            Assert.True(request.Body?.Length > RequestFuzz.MaxBody, $"The connection broke (seed {Seed}) on {request}\n{text}");
            tally.Saw("lost");
            return;
        }
        Assert.True(status is 200 or (>= 400 and < 500 and not 422), $"{status} (seed {Seed}) to {request}\n{text}");
        foreach (var name in request.Fields.Prepend(request.Route))
            tally.Saw(name);
        tally.Saw($"{status}");
        if (status == 200) return;
        var error = JsonDocument.Parse(text).RootElement.GetProperty("error");
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
        tally.Saw(error.GetProperty("code").GetString() ?? "none");
    }

    static async Task<(int Status, string Text)> ReplyAsync(TestServer server, FuzzRequest request)
    {
        try
        {
            using var message = request.Message();
            using var reply = await server.SendAsync(message);
            return ((int)reply.StatusCode, await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }
        catch (HttpRequestException error)
        {
            return (0, error.ToString());
        }
    }
}
