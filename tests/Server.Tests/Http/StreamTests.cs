using System.Net;
using System.Text;
using System.Text.Json;

namespace Serving.Tests;

/// <summary>What becomes of a request when somebody leaves or something breaks.</summary>
public sealed class StreamTests
{
    const string Path = "/v1/completions";
    const string Endless = """{"model": "tiny", "prompt": "x", "max_tokens": 900000, "stream": true}""";

    static Task<TestServer> LongAsync() => TestServer.StartAsync(o => o with { Engine = new() { MaxLength = 1_000_000 } });

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_that_leaves_a_stream_ends_its_generation()
    {
        await using var server = await LongAsync();
        using (var reply = await OpenAsync(server, Endless))
        {
            using var lines = new StreamReader(await reply.Content.ReadAsStreamAsync(Stop));
            Assert.StartsWith("data: ", await lines.ReadLineAsync(Stop));
            Assert.Equal(1, server.Engine.Figures.Running);
        }
        await server.IdleAsync();
        Assert.InRange(server.Engine.Figures.GeneratedTokens, 1, 899_999);
    }

    [Fact]
    public async Task A_client_that_leaves_before_the_answer_ends_its_generation()
    {
        await using var server = await LongAsync();
        server.Decoder.Gate.Reset();
        using var leaving = new CancellationTokenSource();
        var waiting = server.Client.PostAsync(new Uri(Path, UriKind.Relative), Json(Endless.Replace("true", "false", StringComparison.Ordinal)), leaving.Token);
        await server.BusyAsync();
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        server.Decoder.Gate.Set();
        await server.IdleAsync();
    }

    [Fact]
    public async Task A_client_that_does_not_read_is_cut_off()
    {
        await using var server = await TestServer.StartAsync(o => o with { UnreadTime = TimeSpan.FromSeconds(1), Engine = new() { MaxLength = 1_000_000 } });
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(IPAddress.Loopback, server.Client.BaseAddress!.Port, Stop);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"POST {Path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {Endless.Length}\r\n\r\n{Endless}"), Stop);
        await server.BusyAsync();
        await server.IdleAsync();
        Assert.InRange(server.Engine.Figures.GeneratedTokens, 1, 200_000);
    }

    [Fact]
    public async Task A_failure_before_the_first_event_has_a_status()
    {
        await using var server = await LongAsync();
        server.Decoder.Failure = new InvalidOperationException("broken on purpose");
        using var reply = await server.PostAsync(Path, Endless);
        Assert.Equal(HttpStatusCode.InternalServerError, reply.StatusCode);
        Assert.Equal("server_error", (await ErrorOf(reply)).GetProperty("type").GetString());
        await server.IdleAsync();
    }

    [Fact]
    public async Task A_failure_amid_a_stream_is_told_and_breaks_the_connection()
    {
        await using var server = await LongAsync();
        using var reply = await OpenAsync(server, Endless);
        using var lines = new StreamReader(await reply.Content.ReadAsStreamAsync(Stop));
        Assert.StartsWith("data: ", await lines.ReadLineAsync(Stop));
        server.Decoder.Failure = new InvalidOperationException("broken on purpose");
        var last = "";
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            while (await lines.ReadLineAsync(Stop) is { } line)
                last = line.Length > 0 ? line : last;
        });
        Assert.StartsWith("""data: {"error":{"message":""", last);
        await server.IdleAsync();
    }

    [Fact]
    public async Task While_the_model_loads_requests_are_asked_to_come_back()
    {
        using var loading = new ManualResetEventSlim();
        await using var server = await TestServer.StartAsync(null, _ => loading.Wait(), waits: false);
        using var early = await server.PostAsync(Path, Endless);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, early.StatusCode);
        Assert.Equal("model_loading", (await ErrorOf(early)).GetProperty("code").GetString());
        Assert.NotNull(early.Headers.RetryAfter);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, """{"status":"loading"}"""), await HealthAsync("/health/ready"));
        Assert.Equal((HttpStatusCode.OK, """{"status":"live"}"""), await HealthAsync("/health/live"));
        loading.Set();
        await server.Host.Loaded;
        Assert.Equal((HttpStatusCode.OK, """{"status":"ready"}"""), await HealthAsync("/health"));

        async Task<(HttpStatusCode, string)> HealthAsync(string path)
        {
            using var reply = await server.GetAsync(path);
            return (reply.StatusCode, await reply.Content.ReadAsStringAsync(Stop));
        }
    }

    [Fact]
    public async Task Running_streams_end_in_order_when_the_server_stops()
    {
        var server = await LongAsync();
        server.Decoder.Gate.Reset();
        var reply = server.PostAsync(Path, """{"model": "tiny", "prompt": "x", "max_tokens": 50, "stream": true}""");
        await server.BusyAsync();
        var stopping = server.StopAsync();
        server.Decoder.Gate.Set();
        Assert.EndsWith("data: [DONE]\n\n", await (await reply).Content.ReadAsStringAsync(Stop));
        await stopping;
        await server.DisposeAsync();
    }

    [Fact]
    public async Task A_stream_that_outlasts_the_drain_is_told_so()
    {
        var server = await TestServer.StartAsync(o => o with { DrainTime = TimeSpan.Zero, Engine = new() { MaxLength = 1_000_000 } });
        using var reply = await OpenAsync(server, Endless);
        using var lines = new StreamReader(await reply.Content.ReadAsStreamAsync(Stop));
        Assert.StartsWith("data: ", await lines.ReadLineAsync(Stop));
        var stopping = server.StopAsync();
        var last = "";
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            while (await lines.ReadLineAsync(Stop) is { } line)
                last = line.Length > 0 ? line : last;
        });
        Assert.Contains("server_draining", last);
        await stopping;
        await server.DisposeAsync();
    }

    static Task<HttpResponseMessage> OpenAsync(TestServer server, string json) => server.Client.SendAsync(
        new(HttpMethod.Post, Path) { Content = Json(json) }, HttpCompletionOption.ResponseHeadersRead, Stop);

    static StringContent Json(string json) => new(json, Encoding.UTF8, "application/json");

    static async Task<JsonElement> ErrorOf(HttpResponseMessage reply) =>
        JsonDocument.Parse(await reply.Content.ReadAsStringAsync(Stop)).RootElement.GetProperty("error");
}
