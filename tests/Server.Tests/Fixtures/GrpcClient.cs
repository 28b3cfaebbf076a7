using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;
using Serving.Server.Grpc.Framing;

namespace Serving.Tests;

/// <summary>How a call ended: its messages as bytes and its status, wherever the server put that.</summary>
sealed record GrpcReply(List<byte[]> Messages, StatusCode Status, string Message, Protos.Rpc.Status Details, HttpResponseHeaders Headers)
{
    public T Only<T>() where T : IMessage<T>, new()
    {
        Assert.True(Status == StatusCode.Ok, $"{Status}: {Message}");
        return GrpcClient.Parsed<T>(Assert.Single(Messages));
    }

    public List<T> All<T>() where T : IMessage<T>, new()
    {
        Assert.True(Status == StatusCode.Ok, $"{Status}: {Message}");
        return Messages.ConvertAll(GrpcClient.Parsed<T>);
    }

    public T Detail<T>() where T : IMessage<T>, new() => Details.Details.Single(d => d.Is(new T().Descriptor)).Unpack<T>();
}

/// <summary>A plain gRPC client over HTTP/2 in the clear, which can also send what no proper client sends.</summary>
sealed class GrpcClient(Uri server, HttpMessageHandler? handler = null) : IDisposable
{
    public const string Generate = "/serving.v1.Generation/Generate";

    readonly HttpClient _http = new(handler ?? new SocketsHttpHandler()) { BaseAddress = server, Timeout = TimeSpan.FromSeconds(20) };

    public static byte[] Frame(byte[] message, byte flag = 0)
    {
        var frame = new byte[5 + message.Length];
        frame[0] = flag;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        return frame;
    }

    public static T Parsed<T>(byte[] message) where T : IMessage<T>, new() => new MessageParser<T>(() => new()).ParseFrom(message);

    public Task<GrpcReply> CallAsync(string path, IMessage message, params (string Name, string Value)[] headers) =>
        SendAsync(path, Frame(message.ToByteArray()), headers);

    public async Task<GrpcReply> SendAsync(string path, byte[] body, params (string Name, string Value)[] headers)
    {
        using var call = await OpenAsync(path, body, headers);
        var messages = new List<byte[]>();
        while (await call.NextAsync() is { } message)
            messages.Add(message);
        return call.Ended(messages);
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Begins a call whose messages are read one by one; disposing it leaves the call.</summary>
    public async Task<OpenCall> OpenAsync(string path, byte[] body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/grpc");
        request.Headers.TryAddWithoutValidation("TE", "trailers");
        foreach (var (name, value) in headers)
        {
            if (name == "Content-Type")
                request.Content.Headers.Remove(name);
            if (name != "Content-Type" || value.Length > 0)
                (name == "Content-Type" ? request.Content.Headers : (HttpHeaders)request.Headers).TryAddWithoutValidation(name, value);
        }
        var reply = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return new(reply, await reply.Content.ReadAsStreamAsync());
    }
}

/// <summary>A call under way.</summary>
sealed class OpenCall(HttpResponseMessage reply, Stream body) : IDisposable
{
    public HttpResponseMessage Http => reply;

    /// <summary>The next message, unpacked; null at the end.</summary>
    public async Task<byte[]?> NextAsync()
    {
        var header = new byte[5];
        if (await body.ReadAtLeastAsync(header, 5, throwOnEndOfStream: false) == 0)
            return null;
        var message = new byte[BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(1))];
        await body.ReadExactlyAsync(message);
        if (header[0] == 0)
            return message;
        Assert.Equal(["gzip"], reply.Headers.GetValues("grpc-encoding"));
        var unpacked = new MemoryStream();
        await new GZipStream(new MemoryStream(message), CompressionMode.Decompress).CopyToAsync(unpacked);
        return unpacked.ToArray();
    }

    public async Task<T> NextAsync<T>() where T : IMessage<T>, new() => GrpcClient.Parsed<T>(await NextAsync() ?? throw new EndOfStreamException());

    public GrpcReply Ended(List<byte[]> messages)
    {
        Assert.Equal((HttpStatusCode.OK, "application/grpc"), (reply.StatusCode, reply.Content.Headers.ContentType?.MediaType));
        var details = Find("grpc-status-details-bin");
        return new(messages, (StatusCode)int.Parse(Find("grpc-status")), Uri.UnescapeDataString(Find("grpc-message")),
            GrpcClient.Parsed<Protos.Rpc.Status>(Convert.FromBase64String(details.PadRight((details.Length + 3) / 4 * 4, '='))), reply.Headers);
    }

    public void Dispose() => reply.Dispose();

    string Find(string name) => reply.TrailingHeaders.TryGetValues(name, out var values) || reply.Headers.TryGetValues(name, out values) ? values.Single() : "";
}
