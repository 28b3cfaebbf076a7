using System.Runtime.CompilerServices;
using Google.Protobuf;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Serving.Server.Http;

namespace Serving.Server.Grpc.Framing;

/// <summary>One call: messages in, messages out, and the two reasons for which it may be too late, a client that left and a deadline.</summary>
sealed class GrpcCall : IDisposable
{
    const string ContentType = "application/grpc";

    readonly ServerOptions _options;
    readonly TimeProvider _time;
    readonly MessageReader _reader;
    readonly CancellationTokenSource _late;
    readonly CancellationTokenSource _over;
    readonly bool _unpacks;
    readonly HeaderDictionary _trailers = [];

    /// <summary>Reads the headers; throws for those that cannot be served.</summary>
    /// <param name="http">The request.</param>
    /// <param name="options">Most bytes of a message, and how long a client may read nothing.</param>
    /// <param name="time">The clock of deadlines.</param>
    public GrpcCall(HttpContext http, ServerOptions options, TimeProvider time)
    {
        (Http, _options, _time) = (http, options, time);
        var headers = http.Request.Headers;
        _unpacks = headers["grpc-accept-encoding"].ToString().Split(',', StringSplitOptions.TrimEntries).Contains(MessageWriter.Gzip);
        if (_unpacks)
            http.Response.Headers["grpc-encoding"] = MessageWriter.Gzip;
        var encoding = headers["grpc-encoding"].ToString();
        if (encoding is not ("" or "identity" or MessageWriter.Gzip))
            throw new GrpcException(StatusCode.Unimplemented, $"The compression '{RequestValue.Shortened(encoding)}' is not served; use gzip or none.");
        _reader = new(http.Request.BodyReader, encoding, options.MaxRequestBytes);
        _late = GrpcTimeout.Read(headers["grpc-timeout"].ToString()) is { } left ? new(left, time) : new();
        _over = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _late.Token);
    }

    public HttpContext Http { get; }

    /// <summary>Cancelled when the client leaves or the deadline passes.</summary>
    public CancellationToken Cancellation => _over.Token;

    public bool IsLate => _late.IsCancellationRequested;

    /// <summary>Whether the last message read came compressed.</summary>
    public bool WasCompressed => _reader.WasCompressed;

    /// <summary>Whether a request speaks gRPC, whatever it asks for.</summary>
    public static bool IsSpokenBy(HttpRequest request) =>
        HttpProtocol.IsHttp2(request.Protocol) && HttpMethods.IsPost(request.Method) && IsContentType(request.ContentType);

    /// <summary>Ends a call of which nothing has been sent.</summary>
    public static void Refuse(HttpContext http, GrpcStatus status)
    {
        Begin(http.Response);
        status.WriteTo(http.Response.Headers);
    }

    /// <summary>The one message of a request that has one.</summary>
    public async ValueTask<T> ReadOnlyAsync<T>(MessageParser<T> parser) where T : class, IMessage<T>
    {
        var message = await _reader.ReadAsync(parser, Cancellation)
            ?? throw new GrpcException(StatusCode.Unimplemented, "The request has no message; this method takes one.");
        return await _reader.ReadAsync(parser, Cancellation) is null ? message
            : throw new GrpcException(StatusCode.Unimplemented, "The request has several messages; this method takes one.");
    }

    /// <summary>The messages of a request as they come; however long the client thinks between them.</summary>
    public async IAsyncEnumerable<T> ReadAllAsync<T>(MessageParser<T> parser, [EnumeratorCancellation] CancellationToken cancellation = default)
        where T : class, IMessage<T>
    {
        if (Http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } slowness)
            slowness.MinDataRate = null;
        while (await _reader.ReadAsync(parser, cancellation == default ? Cancellation : cancellation) is { } message)
            yield return message;
    }

    /// <summary>Writes a message without sending it off yet.</summary>
    /// <param name="message">The message.</param>
    /// <param name="packs">Whether it is compressed, where the client can unpack it; null leaves that to its size.</param>
    public async ValueTask WriteAsync(IMessage message, bool? packs = null)
    {
        await StartAsync();
        MessageWriter.Write(Http.Response.BodyWriter, message, _unpacks ? packs : false);
    }

    /// <summary>
    /// Sends off what was written; waits for a client that is slow to take it, but not for ever. A deadline waits too, as a flush that is cancelled
    /// would take the stream with it and leave no place for a status.
    /// </summary>
    public async ValueTask FlushAsync()
    {
        if (Http.Response.HasStarted)
            await SlowReader.FlushAsync(Http, _options.UnreadTime, _time, CancellationToken.None);
        Cancellation.ThrowIfCancellationRequested();
    }

    /// <summary>Sends the headers, if they are not sent yet.</summary>
    public async ValueTask StartAsync()
    {
        if (Http.Response.HasStarted)
            return;
        Begin(Http.Response);
        await Http.Response.StartAsync();
    }

    /// <summary>Sends something of one's own along with the status.</summary>
    public void AddTrailer(string name, string value) => _trailers[name] = value;

    /// <summary>Ends the call.</summary>
    public void End(GrpcStatus status)
    {
        var trailers = Http.Response.Headers;
        if (Http.Response.HasStarted)
            trailers = Http.Features.GetRequiredFeature<IHttpResponseTrailersFeature>().Trailers;
        else
            Begin(Http.Response);
        foreach (var (name, value) in _trailers)
            trailers[name] = value;
        status.WriteTo(trailers);
    }

    public void Dispose()
    {
        _over.Dispose();
        _late.Dispose();
    }

    static void Begin(HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = ContentType;
        response.Headers["grpc-accept-encoding"] = $"identity,{MessageWriter.Gzip}";
    }

    static bool IsContentType(string? type) => type is not null && type.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase)
        && (type.Length == ContentType.Length || type[ContentType.Length] == ';'
            || type.AsSpan(ContentType.Length).TrimEnd().Equals("+proto", StringComparison.OrdinalIgnoreCase)
            || type.AsSpan(ContentType.Length).StartsWith("+proto;", StringComparison.OrdinalIgnoreCase));
}
