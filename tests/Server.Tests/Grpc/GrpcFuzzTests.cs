using System.Net.Sockets;
using System.Text;
using Serving.Protos.Rpc;
using Serving.Server.Grpc.Framing;

namespace Serving.Tests.Grpc;

/// <summary>
/// Calls that are wrong in every way: whatever comes, the answer is a status that blames the client, and nothing stays behind. Their number and what
/// must have occurred are as <see cref="FuzzTests"/> has them.
/// </summary>
[Collection(nameof(Alone))]
public sealed class GrpcFuzzTests
{
    const int Seed = 20261121;

    static readonly string[] Codes =
    [
        "MISSING_REQUIRED_PARAMETER", "INVALID_TYPE", "INTEGER_BELOW_MIN_VALUE", "INTEGER_ABOVE_MAX_VALUE", "DECIMAL_BELOW_MIN_VALUE", "DECIMAL_ABOVE_MAX_VALUE",
        "ARRAY_ABOVE_MAX_LENGTH", "EMPTY_ARRAY", "EMPTY_STRING", "INVALID_VALUE", "UNSUPPORTED_PARAMETER", "INVALID_PARAMETER_COMBINATION", "CONTEXT_LENGTH_EXCEEDED",
        "MODEL_NOT_FOUND", "INVALID_API_KEY", nameof(StatusCode.Ok), nameof(StatusCode.InvalidArgument), nameof(StatusCode.NotFound), nameof(StatusCode.Unauthenticated),
        nameof(StatusCode.Unimplemented), nameof(StatusCode.ResourceExhausted), nameof(StatusCode.DeadlineExceeded),
    ];

    [Fact]
    public async Task No_call_breaks_the_server_or_leaves_something_behind()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKeys = [CallFuzz.Key], MaxRequestBytes = CallFuzz.MaxBody });
        var (fuzz, tally) = (new CallFuzz(new(Seed)), new FuzzTally(server, Seed));
        await tally.RunAsync(fuzz.Next, call => CheckAsync(server, call, tally));
        tally.CheckSeen(CallFuzz.Everything.Concat(Codes));
    }

    static async Task CheckAsync(TestServer server, FuzzCall call, FuzzTally tally)
    {
        using var open = await server.Grpc.OpenAsync(call.Path, call.Body, call.Headers);
        foreach (var name in call.Fields.Prepend(call.Method))
            tally.Saw(name);
        if (!open.Http.IsSuccessStatusCode)
        {
            Assert.InRange((int)open.Http.StatusCode, 400, 499);
            tally.Saw($"{(int)open.Http.StatusCode}");
            return;
        }
        while (await open.NextAsync() is not null)
        {
        }
        var reply = open.Ended([]);
        // The protocol itself wants INTERNAL for a compressed message without a header that says how.
        Assert.True(reply.Status is not (StatusCode.Internal or StatusCode.Unknown) || reply.Message.StartsWith("A message is marked as compressed", StringComparison.Ordinal),
            $"A call of seed {Seed} to {call.Path} ended with {reply.Status}: {reply.Message}\n{Convert.ToHexString(call.Body)}");
        tally.Saw($"{reply.Status}");
        if (reply.Details.Details.Any(detail => detail.Is(ErrorInfo.Descriptor)))
            tally.Saw(reply.Detail<ErrorInfo>().Reason);
    }

    [Fact]
    public async Task No_bytes_at_the_beginning_of_a_connection_break_the_server()
    {
        await using var server = await TestServer.StartAsync();
        var random = new Random(Seed);
        var preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        for (var i = 0; i < 100; i++)
        {
            using var client = new TcpClient();
            await client.ConnectAsync(server.Address.Host, server.Address.Port, TestContext.Current.CancellationToken);
            var noise = new byte[random.Next(200)];
            random.NextBytes(noise);
            await client.GetStream().WriteAsync((byte[])[.. preface.AsSpan(0, random.Next(preface.Length + 1)), .. noise], TestContext.Current.CancellationToken);
        }
        Assert.Equal(StatusCode.Ok, (await server.Grpc.SendAsync("/serving.v1.Generation/Models", GrpcClient.Frame([]))).Status);
        using var http = await server.GetAsync("/v1/models");
        Assert.True(http.IsSuccessStatusCode);
        await server.IdleAsync();
    }
}
