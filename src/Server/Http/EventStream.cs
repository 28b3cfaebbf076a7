using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Serving.Server.Http;

/// <summary>
/// An event sequence as server-sent events. The status line waits for the first event, so that what goes wrong before it has a status of its own;
/// long silence is bridged with comments, and a client that has stopped reading is cut off.
/// </summary>
sealed class EventStream(HttpContext http, TimeSpan patience, TimeProvider time)
{
    /// <summary>Bytes after which a client that does not read holds its own stream up.</summary>
    const int Unsent = 16 << 10;

    static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    readonly HttpResponse _response = http.Response;

    /// <summary>Sends every event and the closing mark, or an error frame and a broken connection. Events with names need no closing mark.</summary>
    public async Task SendAsync<T>(IAsyncEnumerable<T> events, JsonTypeInfo<T> type, Func<T, string>? name = null)
    {
        try
        {
            await using var source = events.GetAsyncEnumerator(http.RequestAborted);
            using var json = new Utf8JsonWriter(_response.BodyWriter, new() { Encoder = type.Options.Encoder });
            while (await NextAsync(source))
            {
                await StartAsync();
                if (name is not null)
                    Write(Encoding.UTF8.GetBytes($"event: {name(source.Current)}\n"));
                Write("data: "u8);
                json.Reset();
                JsonSerializer.Serialize(json, source.Current, type);
                json.Flush();
                Write("\n\n"u8);
                if (_response.BodyWriter.UnflushedBytes > Unsent)
                    await FlushAsync();
            }
            await StartAsync();
            if (name is null)
                Write("data: [DONE]\n\n"u8);
            await FlushAsync();
        }
        catch (Exception error) when (_response.HasStarted && (Deadline.HasPassed(http) || !http.RequestAborted.IsCancellationRequested))
        {
            await BreakAsync(Deadline.Reason(http, error));
        }
    }

    async ValueTask<bool> NextAsync<T>(IAsyncEnumerator<T> source)
    {
        var next = source.MoveNextAsync();
        if (next.IsCompleted)
            return await next;
        if (_response.HasStarted)
            await FlushAsync();
        var waiting = next.AsTask();
        while (true)
        {
            try
            {
                return await waiting.WaitAsync(KeepAlive, time);
            }
            catch (TimeoutException) when (!waiting.IsCompleted)
            {
                await StartAsync();
                Write(": keep-alive\n\n"u8);
                await FlushAsync();
            }
        }
    }

    async ValueTask StartAsync()
    {
        if (_response.HasStarted)
            return;
        _response.ContentType = "text/event-stream; charset=utf-8";
        _response.Headers.CacheControl = "no-cache";
        _response.Headers["X-Accel-Buffering"] = "no";
        await _response.StartAsync(http.RequestAborted);
    }

    /// <summary>Says what happened, then lets the server cut the connection without an orderly end.</summary>
    async Task BreakAsync(Exception error)
    {
        var said = error as ApiException ?? ApiException.Internal(http.TraceIdentifier);
        Write("data: "u8);
        Write(JsonSerializer.SerializeToUtf8Bytes(ErrorBody.Of(said.Error), HttpJson.Plain.ErrorBody));
        Write("\n\n"u8);
        await FlushAsync();
        throw new StreamBrokenException(error);
    }

    ValueTask FlushAsync() => SlowReader.FlushAsync(http, patience, time, http.RequestAborted);

    void Write(ReadOnlySpan<byte> bytes) => _response.BodyWriter.Write(bytes);
}

/// <summary>Ends a connection whose stream cannot be completed; the client has been told why.</summary>
sealed class StreamBrokenException(Exception reason) : Exception("The stream was broken off: " + reason.Message, reason);
