using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;
using Serving.Protos;
using Serving.Server.Grpc.Framing;

namespace Serving.Tests.Grpc;

/// <summary>The protocol below the messages: frames, compression, headers, statuses.</summary>
public sealed class FramingTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    const string Tokenize = "/serving.v1.Generation/Tokenize";

    static readonly byte[] Valid = new TokenizeRequest { Prompt = "abc" }.ToByteArray();

    public static TheoryData<string, byte[], int> Bodies => new()
    {
        { "no message", [], (int)StatusCode.Unimplemented },
        { "two messages", [.. GrpcClient.Frame(Valid), .. GrpcClient.Frame(Valid)], (int)StatusCode.Unimplemented },
        { "part of a header", [0, 0, 0], (int)StatusCode.InvalidArgument },
        { "part of a message", GrpcClient.Frame(Valid)[..^1], (int)StatusCode.InvalidArgument },
        { "an unknown flag", GrpcClient.Frame(Valid, flag: 2), (int)StatusCode.InvalidArgument },
        { "a length beyond the limit", [0, 0xFF, 0xFF, 0xFF, 0xFF], (int)StatusCode.ResourceExhausted },
        { "no protobuf", GrpcClient.Frame([0xFF, 0xFF, 0xFF]), (int)StatusCode.InvalidArgument },
        // Compression that no header names must be INTERNAL by the protocol's own word.
        { "compressed without a header", GrpcClient.Frame(Valid, flag: 1), (int)StatusCode.Internal },
    };

    [Theory, MemberData(nameof(Bodies))]
    public async Task A_broken_body_is_refused(string what, byte[] body, int status)
    {
        var reply = await fixture.Server.Grpc.SendAsync(Tokenize, body);
        Assert.True((StatusCode)status == reply.Status, $"{what}: {reply.Status} {reply.Message}");
        Assert.NotEmpty(reply.Message);
    }

    [Fact]
    public async Task Gzip_goes_both_ways()
    {
        var text = new string('y', 5000);
        var packed = GrpcClient.Frame(Packed(new TokenizeRequest { Prompt = text }.ToByteArray()), flag: 1);
        Assert.InRange(packed.Length, 1, 200);
        using var call = await fixture.Server.Grpc.OpenAsync(Tokenize, packed, ("grpc-encoding", "gzip"), ("grpc-accept-encoding", "deflate, gzip"));
        Assert.Equal(5000, (await call.NextAsync<TokenizeReply>()).Tokens.Count);
        Assert.Equal(["gzip"], call.Http.Headers.GetValues("grpc-encoding"));
        Assert.Equal(["identity,gzip"], call.Http.Headers.GetValues("grpc-accept-encoding"));
        var plain = await fixture.Server.Grpc.SendAsync(Tokenize, packed, ("grpc-encoding", "gzip"));
        Assert.False(plain.Headers.Contains("grpc-encoding"));
    }

    [Fact]
    public async Task A_message_that_unpacks_beyond_the_limit_is_refused()
    {
        await using var server = await TestServer.StartAsync(o => o with { MaxRequestBytes = 100_000 });
        var bomb = GrpcClient.Frame(Packed(new byte[10_000_000]), flag: 1);
        Assert.InRange(bomb.Length, 1, 99_000);
        var reply = await server.Grpc.SendAsync(Tokenize, bomb, ("grpc-encoding", "gzip"));
        Assert.Equal(StatusCode.ResourceExhausted, reply.Status);
        Assert.Contains("100000", reply.Message);
        var large = await server.Grpc.SendAsync(Tokenize, GrpcClient.Frame(new byte[200_000]));
        Assert.Equal(StatusCode.ResourceExhausted, large.Status);
    }

    [Fact]
    public async Task Broken_gzip_and_other_compressions_are_refused()
    {
        var broken = await fixture.Server.Grpc.SendAsync(Tokenize, GrpcClient.Frame([1, 2, 3], flag: 1), ("grpc-encoding", "gzip"));
        Assert.Equal(StatusCode.InvalidArgument, broken.Status);
        var other = await fixture.Server.Grpc.SendAsync(Tokenize, GrpcClient.Frame(Valid), ("grpc-encoding", "snappy"));
        Assert.Equal(StatusCode.Unimplemented, other.Status);
        Assert.Equal(["identity,gzip"], other.Headers.GetValues("grpc-accept-encoding"));
    }

    [Theory]
    [InlineData("soon")]
    [InlineData("-1S")]
    [InlineData("123456789S")]
    [InlineData("5")]
    public async Task A_deadline_that_cannot_be_read_is_refused(string timeout)
    {
        var reply = await fixture.Server.Grpc.SendAsync(Tokenize, GrpcClient.Frame(Valid), ("grpc-timeout", timeout));
        Assert.Equal(StatusCode.InvalidArgument, reply.Status);
    }

    [Theory]
    [InlineData("99999999H", null)]
    [InlineData("2H", 7_200_000.0)]
    [InlineData("3M", 180_000.0)]
    [InlineData("4S", 4000.0)]
    [InlineData("5m", 5.0)]
    [InlineData("6u", 0.006)]
    [InlineData("7000n", 0.007)]
    [InlineData("", null)]
    public void A_deadline_has_a_unit(string header, double? milliseconds) => Assert.Equal(milliseconds, GrpcTimeout.Read(header)?.TotalMilliseconds);

    [Theory]
    [InlineData("plain ~ text", "plain ~ text")]
    [InlineData("100%\r\n", "100%25%0D%0A")]
    [InlineData("é☃", "%C3%A9%E2%98%83")]
    public void A_status_message_is_escaped(string text, string escaped) => Assert.Equal(escaped, GrpcStatus.Escaped(text));

    [Theory]
    [InlineData("/serving.v1.Generation/Nothing")]
    [InlineData("/no.Such/Method")]
    [InlineData("/")]
    public async Task What_is_not_served_is_unimplemented(string path) =>
        Assert.Equal(StatusCode.Unimplemented, (await fixture.Server.Grpc.SendAsync(path, GrpcClient.Frame(Valid))).Status);

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/grpc-web")]
    [InlineData("application/grpc+json")]
    [InlineData("")]
    public async Task Other_content_types_get_an_error_of_HTTP(string type)
    {
        using var call = await fixture.Server.Grpc.OpenAsync(Tokenize, GrpcClient.Frame(Valid), ("Content-Type", type));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, call.Http.StatusCode);
    }

    [Theory]
    [InlineData("application/grpc+proto")]
    [InlineData("application/grpc;charset=utf-8")]
    [InlineData("APPLICATION/GRPC")]
    public async Task A_content_type_may_say_more(string type) =>
        Assert.Equal(3, (await fixture.Server.Grpc.SendAsync(Tokenize, GrpcClient.Frame(Valid), ("Content-Type", type))).Only<TokenizeReply>().Tokens.Count);

    [Fact]
    public async Task Over_HTTP_1_a_method_says_what_it_needs()
    {
        var content = new ByteArrayContent(GrpcClient.Frame(Valid));
        content.Headers.ContentType = MediaTypeHeaderValue.Parse("application/grpc");
        using var reply = await fixture.Server.SendAsync(new(HttpMethod.Post, Tokenize) { Content = content });
        Assert.Equal(HttpStatusCode.UpgradeRequired, reply.StatusCode);
    }

    [Fact]
    public async Task Routes_of_HTTP_are_served_over_HTTP_2_as_well()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var reply = await fixture.Server.SendAsync(request);
        Assert.Equal((HttpStatusCode.OK, HttpVersion.Version20), (reply.StatusCode, reply.Version));
    }

    static byte[] Packed(byte[] message)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
            gzip.Write(message);
        return packed.ToArray();
    }
}
