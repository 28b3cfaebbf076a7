using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Serving.Server.Http;

/// <summary>
/// HTTP/1.1 and HTTP/2 on one port without TLS. Kestrel tells them apart by what TLS negotiates, so here the first bytes decide: connections that
/// begin with HTTP/2's preface take the pipeline of a second endpoint, which itself hears nothing.
/// </summary>
sealed class SharedPort(TimeProvider time)
{
    /// <summary>How long a connection may stay silent before its first bytes.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    readonly TaskCompletionSource<ConnectionDelegate> _http2 = new();

    /// <summary>How HTTP/2's preface begins, and no request of HTTP/1.</summary>
    static ReadOnlySpan<byte> Preface => "PRI "u8;

    public void Listen(KestrelServerOptions kestrel, IPEndPoint address)
    {
        kestrel.Listen(address, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.Use(next => connection => SortAsync(connection, next));
        });
        kestrel.Listen(new SilentEndPoint(), listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.Use(next =>
            {
                _http2.TrySetResult(next);
                return next;
            });
        });
    }

    async Task SortAsync(ConnectionContext connection, ConnectionDelegate http1)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        var closing = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, connection.ConnectionClosed, closing);
        try
        {
            var isHttp2 = await BeginsHttp2Async(connection, over.Token);
            await (isHttp2 ? await _http2.Task : http1)(connection);
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            connection.Abort();
        }
    }

    static async Task<bool> BeginsHttp2Async(ConnectionContext connection, CancellationToken cancellation)
    {
        var input = connection.Transport.Input;
        while (true)
        {
            var read = await input.ReadAsync(cancellation);
            var first = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, Preface.Length)).ToArray();
            var fits = Preface.StartsWith(first);
            var isKnown = !fits || first.Length == Preface.Length || read.IsCompleted;
            input.AdvanceTo(read.Buffer.Start, isKnown ? read.Buffer.Start : read.Buffer.End);
            if (isKnown)
                return fits && first.Length == Preface.Length;
        }
    }
}

/// <summary>An endpoint that nobody can reach.</summary>
sealed class SilentEndPoint : EndPoint
{
    public override string ToString() => "http2";
}

/// <summary>Listens at silent endpoints: accepts nothing until it is told to stop.</summary>
sealed class SilentTransport : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) => endpoint is SilentEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(new Listener(endpoint));

    sealed class Listener(EndPoint endpoint) : IConnectionListener
    {
        readonly TaskCompletionSource<ConnectionContext?> _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public EndPoint EndPoint => endpoint;

        public ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) => new(_stopped.Task);

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            _stopped.TrySetResult(null);
            return default;
        }

        public ValueTask DisposeAsync() => UnbindAsync();
    }
}
