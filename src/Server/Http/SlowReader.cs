namespace Serving.Server.Http;

/// <summary>Sends off what was written to a client that may have stopped reading.</summary>
static class SlowReader
{
    /// <summary>Flushes a reply's body; a client that takes nothing for longer than the patience is cut off.</summary>
    public static async ValueTask FlushAsync(HttpContext http, TimeSpan patience, TimeProvider time, CancellationToken cancellation)
    {
        var sent = http.Response.BodyWriter.FlushAsync(cancellation);
        if (sent.IsCompleted)
        {
            await sent;
            return;
        }
        try
        {
            await sent.AsTask().WaitAsync(patience, time, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            http.Abort();
            throw new OperationCanceledException($"The client read nothing for {patience.TotalSeconds} s.");
        }
    }
}
