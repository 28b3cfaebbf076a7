using System.Buffers.Binary;
using System.IO.Compression;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf;
using Serving.Protos;
using Serving.Protos.Reflection;
using Serving.Server.Grpc.Framing;

namespace Serving.Tests.Grpc;

/// <summary>Mutated calls: whatever comes, the answer is a status that blames the client, and nothing stays behind.</summary>
public sealed class GrpcFuzzTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    const int Seed = 20261121;

    static readonly int Calls = Environment.GetEnvironmentVariable("SERVING_TEST_ALL") == "true" ? 100_000 : 800;

    static readonly (string Path, byte[] Message)[] Valid =
    [
        (GrpcClient.Generate, new GenerateRequest
        {
            Model = "tiny", Chat = new() { Messages = { new ChatMessage { Role = "user", Content = "Hi é" }, new ChatMessage { Role = "tool", ToolCallId = "a" } } },
            N = 2, Stop = { "a", "b" }, MaxTokens = 5, Logprobs = 3, LogitBias = { [65] = -100 },
        }.ToByteArray()),
        (GrpcClient.Generate, new GenerateRequest { Model = "tiny", Prompt = "a\n", Temperature = 1.5f, TopP = 0.5f, MaxTokens = 4, Seed = 7 }.ToByteArray()),
        (GrpcClient.Generate, new GenerateRequest { Model = "tiny", PromptTokenIds = new() { Ids = { 1, 2, 3 } }, MaxTokens = 4, PromptLogprobs = 1 }.ToByteArray()),
        ("/serving.v1.Generation/Tokenize", new TokenizeRequest { Prompt = "abc", ReturnTokenStrs = true }.ToByteArray()),
        ("/serving.v1.Generation/Detokenize", new DetokenizeRequest { Tokens = { 1, 2, 3 } }.ToByteArray()),
        ("/grpc.health.v1.Health/Check", new Protos.Health.HealthCheckRequest { Service = "serving.v1.Generation" }.ToByteArray()),
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", new ServerReflectionRequest { FileContainingSymbol = "serving.v1.Chat" }.ToByteArray()),
    ];

    static readonly string[] Timeouts = ["", "1", "5S", "0n", "99999999H", "1000000000m", "-1S", "S", "1.5S", "0x3S", "20m"];
    static readonly string[] Encodings = ["", "gzip", "identity", "snappy", "gzip, gzip", "%"];
    static readonly string[] Types = ["application/grpc", "application/grpc", "application/grpc", "application/grpc+proto", "application/grpc;x", "application/grpc-web", "text/plain"];

    [Fact]
    public async Task No_call_breaks_the_server_or_leaves_something_behind()
    {
        var random = new Random(Seed);
        for (var i = 0; i < Calls; i++)
        {
            var (path, message) = Valid[random.Next(Valid.Length)];
            var body = Framed(Mutated(message, random), random);
            (string, string)[] headers =
            [
                ("grpc-timeout", Timeouts[random.Next(8) == 0 ? random.Next(Timeouts.Length) : 2]), ("grpc-encoding", Encodings[random.Next(3) == 0 ? random.Next(Encodings.Length) : 1]),
                ("grpc-accept-encoding", Encodings[random.Next(Encodings.Length)]), ("Content-Type", Types[random.Next(Types.Length)]),
            ];
            using var call = await fixture.Server.Grpc.OpenAsync(random.Next(50) == 0 ? path + "x" : path, body, headers);
            if (!call.Http.IsSuccessStatusCode)
            {
                Assert.InRange((int)call.Http.StatusCode, 400, 499);
                continue;
            }
            while (await call.NextAsync() is not null)
            {
            }
            var reply = call.Ended([]);
            // The protocol itself wants INTERNAL for a compressed message without a header that says how.
            Assert.True(reply.Status is not (StatusCode.Internal or StatusCode.Unknown) || reply.Message.StartsWith("A message is marked as compressed", StringComparison.Ordinal),
                $"Call {i} of seed {Seed} to {path} ended with {reply.Status}: {reply.Message}\n{Convert.ToHexString(body)}");
        }
        await fixture.Server.IdleAsync();
    }

    [Fact]
    public async Task No_bytes_at_the_beginning_of_a_connection_break_the_server()
    {
        var random = new Random(Seed);
        var preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        for (var i = 0; i < 100; i++)
        {
            using var client = new TcpClient();
            await client.ConnectAsync(fixture.Server.Address.Host, fixture.Server.Address.Port, TestContext.Current.CancellationToken);
            var noise = new byte[random.Next(200)];
            random.NextBytes(noise);
            await client.GetStream().WriteAsync((byte[])[.. preface.AsSpan(0, random.Next(preface.Length + 1)), .. noise], TestContext.Current.CancellationToken);
        }
        Assert.Equal(StatusCode.Ok, (await fixture.Server.Grpc.SendAsync("/serving.v1.Generation/Models", GrpcClient.Frame([]))).Status);
        using var http = await fixture.Server.GetAsync("/v1/models");
        Assert.True(http.IsSuccessStatusCode);
        await fixture.Server.IdleAsync();
    }

    static byte[] Mutated(byte[] message, Random random)
    {
        var bytes = message.ToList();
        for (var edits = random.Next(4); edits > 0 && bytes.Count > 0; edits--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 6), bytes.Count - at));
                    break;
                case 1:
                    bytes.InsertRange(at, message.Take(random.Next(message.Length)));
                    break;
                case 2:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 3:
                    // The largest number there is, wherever one stands.
                    bytes.InsertRange(at, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]);
                    break;
                default:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
            }
        }
        return [.. bytes];
    }

    static byte[] Framed(byte[] message, Random random)
    {
        switch (random.Next(10))
        {
            case 0:
                var wrong = GrpcClient.Frame(message, flag: (byte)random.Next(4));
                BinaryPrimitives.WriteUInt32BigEndian(wrong.AsSpan(1), (uint)random.NextInt64(uint.MaxValue));
                return wrong;
            case 1:
                return GrpcClient.Frame(message)[..random.Next(message.Length + 5)];
            case 2:
                return [.. GrpcClient.Frame(message), .. GrpcClient.Frame(message)];
            case 3:
                return GrpcClient.Frame(message, flag: 1);
            case 4:
                var packed = new MemoryStream();
                using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
                    gzip.Write(message);
                return GrpcClient.Frame(packed.ToArray(), flag: 1);
            default:
                return GrpcClient.Frame(message);
        }
    }
}
