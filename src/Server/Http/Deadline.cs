using System.Globalization;

namespace Serving.Server.Http;

/// <summary>
/// The time that a request may take, by the header <c>x-request-timeout-ms</c> or the server's own limit: when it is over the request ends as if
/// its client had left, and the client is told.
/// </summary>
sealed class Deadline : IDisposable
{
    /// <summary>Names the time in milliseconds.</summary>
    public const string Header = "x-request-timeout-ms";

    readonly CancellationToken _client;
    readonly CancellationTokenSource _timer;
    readonly CancellationTokenSource _either;

    Deadline(HttpContext http, TimeSpan limit, TimeProvider time)
    {
        (Limit, _client) = (limit, http.RequestAborted);
        _timer = new(limit, time);
        _either = CancellationTokenSource.CreateLinkedTokenSource(_client, _timer.Token);
        http.RequestAborted = _either.Token;
        http.Features.Set(this);
        http.Response.RegisterForDispose(this);
    }

    /// <summary>How long the request may take.</summary>
    public TimeSpan Limit { get; }

    /// <summary>Begins to count, for a request that may not take as long as it takes.</summary>
    public static void Start(HttpContext http, TimeSpan? most, TimeProvider time)
    {
        var asked = http.Request.Headers[Header].ToString() is { Length: > 0 } text ? Parse(text) : (TimeSpan?)null;
        if ((asked < most ? asked : most ?? asked) is { } limit)
            _ = new Deadline(http, limit, time);
    }

    /// <summary>Whether the request's time is over; from then on the reply may be written again.</summary>
    public static bool HasPassed(HttpContext http)
    {
        if (http.Features.Get<Deadline>() is not { } deadline || !deadline._timer.IsCancellationRequested || deadline._client.IsCancellationRequested)
            return false;
        http.RequestAborted = deadline._client;
        return true;
    }

    /// <summary>What the client is told of a failure: that its time is over, where it is.</summary>
    public static Exception Reason(HttpContext http, Exception error) =>
        HasPassed(http) ? ApiException.TimedOut(http.Features.Get<Deadline>()!.Limit) : error;

    public void Dispose()
    {
        _either.Dispose();
        _timer.Dispose();
    }

    static TimeSpan Parse(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds) && milliseconds > 0
            ? TimeSpan.FromMilliseconds(milliseconds)
            : throw ApiException.Invalid(Header, "invalid_value", $"The header {Header} is '{RequestValue.Shortened(text)}'; it must be a number of milliseconds above 0.");
}
