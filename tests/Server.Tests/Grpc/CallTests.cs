using Google.Protobuf;
using Serving.Protos;
using Serving.Protos.Rpc;
using Serving.Server.Grpc.Framing;

namespace Serving.Tests.Grpc;

/// <summary>What becomes of a call when somebody leaves, something breaks or the time is over.</summary>
public sealed class CallTests
{
    static readonly GenerateRequest Endless = new() { Model = "tiny", Prompt = "x", MaxTokens = 900_000 };

    static byte[] Frame(IMessage message) => GrpcClient.Frame(message.ToByteArray());

    static Task<TestServer> LongAsync(Func<Server.ServerOptions, Server.ServerOptions>? change = null) =>
        TestServer.StartAsync(o => (change ?? (same => same))(o with { Engine = new() { MaxLength = 1_000_000 } }));

    [Fact]
    public async Task A_client_that_leaves_ends_its_generation()
    {
        await using var server = await LongAsync();
        using (var call = await server.Grpc.OpenAsync(GrpcClient.Generate, Frame(Endless)))
        {
            Assert.NotNull((await call.NextAsync<GenerateReply>()).Started);
            Assert.Equal(1, server.Engine.Figures.Running);
        }
        await server.IdleAsync();
        Assert.InRange(server.Engine.Figures.GeneratedTokens, 0, 899_999);
    }

    [Fact]
    public async Task A_deadline_ends_the_generation_and_says_so()
    {
        await using var server = await LongAsync();
        var reply = await server.Grpc.CallAsync(GrpcClient.Generate, Endless, ("grpc-timeout", "300m"));
        Assert.Equal(StatusCode.DeadlineExceeded, reply.Status);
        await server.IdleAsync();
        Assert.InRange(server.Engine.Figures.GeneratedTokens, 0, 899_999);
    }

    [Fact]
    public async Task A_deadline_passes_before_the_first_token_too()
    {
        await using var server = await LongAsync();
        server.Decoder.Gate.Reset();
        var reply = await server.Grpc.CallAsync(GrpcClient.Generate, Endless, ("grpc-timeout", "20000u"));
        Assert.Equal(StatusCode.DeadlineExceeded, reply.Status);
        Assert.Empty(reply.Messages);
        server.Decoder.Gate.Set();
        await server.IdleAsync();
    }

    [Fact]
    public async Task The_server_s_own_limit_of_time_ends_a_call_with_a_status_too()
    {
        await using var server = await LongAsync(o => o with { RequestTime = TimeSpan.FromMilliseconds(300) });
        Assert.Equal(StatusCode.DeadlineExceeded, (await server.Grpc.CallAsync(GrpcClient.Generate, Endless)).Status);
        server.Decoder.Gate.Reset();
        Assert.Equal(StatusCode.DeadlineExceeded, (await server.Grpc.CallAsync(GrpcClient.Generate, Endless)).Status);
        server.Decoder.Gate.Set();
        await server.IdleAsync();
    }

    [Fact]
    public async Task A_full_queue_says_when_to_come_back()
    {
        await using var server = await LongAsync(o => o with { Engine = o.Engine with { MaxQueuedRequests = 1 } });
        server.Decoder.Gate.Reset();
        var calls = Enumerable.Range(0, 30).Select(_ => server.Grpc.CallAsync(GrpcClient.Generate, new GenerateRequest(Endless) { MaxTokens = 5 })).ToList();
        var refused = await await Task.WhenAny(calls);
        Assert.Equal(StatusCode.ResourceExhausted, refused.Status);
        Assert.InRange(refused.Detail<RetryInfo>().RetryDelay.Seconds, 1, 3600);
        server.Decoder.Gate.Set();
        await Task.WhenAll(calls);
        await server.IdleAsync();
    }

    [Fact]
    public async Task A_failure_is_told_whenever_it_comes()
    {
        await using var server = await LongAsync();
        server.Decoder.Failure = new InvalidOperationException("broken on purpose");
        Assert.Equal(StatusCode.Internal, (await server.Grpc.CallAsync(GrpcClient.Generate, Endless)).Status);
        using var call = await server.Grpc.OpenAsync(GrpcClient.Generate, Frame(Endless));
        await call.NextAsync();
        server.Decoder.Failure = new InvalidOperationException("broken on purpose");
        while (await call.NextAsync() is not null)
        {
        }
        Assert.Equal(StatusCode.Internal, call.Ended([]).Status);
        await server.IdleAsync();
    }

    [Fact]
    public async Task While_the_model_loads_calls_are_asked_to_come_back()
    {
        using var loading = new ManualResetEventSlim();
        await using var server = await TestServer.StartAsync(null, _ => loading.Wait(), waits: false);
        var early = await server.Grpc.CallAsync(GrpcClient.Generate, Endless);
        Assert.Equal((StatusCode.Unavailable, "MODEL_LOADING"), (early.Status, early.Detail<ErrorInfo>().Reason));
        Assert.Equal(2, early.Detail<RetryInfo>().RetryDelay.Seconds);
        loading.Set();
        await server.Host.Loaded;
    }

    [Fact]
    public async Task Streams_end_in_order_when_the_server_stops()
    {
        var server = await LongAsync();
        server.Decoder.Gate.Reset();
        var streams = Enumerable.Range(0, 32).Select(_ => server.Grpc.CallAsync(GrpcClient.Generate, new GenerateRequest(Endless) { MaxTokens = 5000 })).ToList();
        await server.UntilAsync(figures =>
        {
            // A few steps at a time: the engine counts what came in between them.
            server.Decoder.Gate.Set();
            server.Decoder.Gate.Reset();
            return figures.Running + figures.Waiting == streams.Count;
        });
        var stopping = server.StopAsync();
        server.Decoder.Gate.Set();
        foreach (var reply in await Task.WhenAll(streams))
            Assert.Equal(5000u, reply.All<GenerateReply>()[^1].Summary.Usage.CompletionTokens);
        await stopping;
        await server.DisposeAsync();
    }

    [Fact]
    public async Task A_stream_that_outlasts_the_drain_is_told_so()
    {
        var server = await LongAsync(o => o with { DrainTime = TimeSpan.Zero });
        using var call = await server.Grpc.OpenAsync(GrpcClient.Generate, Frame(Endless));
        await call.NextAsync();
        var stopping = server.StopAsync();
        while (await call.NextAsync() is not null)
        {
        }
        Assert.Equal((StatusCode.Unavailable, "SERVER_DRAINING"), (call.Ended([]).Status, call.Ended([]).Detail<ErrorInfo>().Reason));
        await stopping;
        await server.DisposeAsync();
    }
}
