using System.Text.RegularExpressions;
using Serving.Server.Grpc;
using Serving.Server.Grpc.Framing;

namespace Serving.Server.Http;

/// <summary>What surrounds every request: its id, its key, its time, and an error envelope whatever goes wrong.</summary>
sealed partial class RequestPipeline(RequestDelegate next, Authentication authentication, RequestErrors errors, ServerOptions options, TimeProvider time, ILogger<RequestPipeline> logger)
{
    public async Task InvokeAsync(HttpContext http)
    {
        var started = time.GetTimestamp();
        http.TraceIdentifier = RequestId(http.Request.Headers["X-Request-Id"].ToString());
        http.Response.OnStarting(() =>
        {
            http.Response.Headers["x-request-id"] = http.TraceIdentifier;
            http.Response.Headers["openai-processing-ms"] = ((long)time.GetElapsedTime(started).TotalMilliseconds).ToString();
            return Task.CompletedTask;
        });
        try
        {
            authentication.Check(http);
            Deadline.Start(http, options.RequestTime, time);
            await next(http);
            RefuseUnrouted(http);
        }
        catch (Exception error) when (!http.Response.HasStarted && (Deadline.HasPassed(http) || !http.RequestAborted.IsCancellationRequested))
        {
            if (GrpcCall.IsSpokenBy(http.Request))
                GrpcCall.Refuse(http, Refusals.StatusOf(error, errors, http));
            else
                await WriteAsync(http, errors.Of(error, http));
        }
        catch (Exception error) when (http.RequestAborted.IsCancellationRequested)
        {
            ServerLog.ClientLeft(logger, http.TraceIdentifier, error.GetType().Name);
        }
    }

    /// <summary>Writes an error as the envelope with its headers.</summary>
    public static Task WriteAsync(HttpContext http, ApiError error)
    {
        var response = http.Response;
        response.StatusCode = error.Status;
        if (error.Status == StatusCodes.Status401Unauthorized)
            response.Headers.WWWAuthenticate = "Bearer";
        if (error.RetryAfter is { } seconds)
        {
            response.Headers.RetryAfter = seconds.ToString();
            response.Headers["retry-after-ms"] = (seconds * 1000L).ToString();
        }
        if (error.QueueLimit is { } limit)
        {
            response.Headers["x-ratelimit-limit-requests"] = limit.ToString();
            response.Headers["x-ratelimit-remaining-requests"] = "0";
            response.Headers["x-ratelimit-reset-requests"] = $"{error.RetryAfter}s";
        }
        if (error.Status == StatusCodes.Status500InternalServerError)
            response.Headers["x-should-retry"] = "false";
        return response.WriteAsJsonAsync(ErrorBody.Of(error), HttpJson.Plain.ErrorBody, cancellationToken: http.RequestAborted);
    }

    static void RefuseUnrouted(HttpContext http)
    {
        if (http.Response.HasStarted || http.GetEndpoint() is { } endpoint && endpoint.DisplayName != "405 HTTP Method Not Supported")
            return;
        var (method, path) = (http.Request.Method, http.Request.Path.ToString());
        if (http.Response.StatusCode == StatusCodes.Status405MethodNotAllowed)
            throw ApiException.WrongMethod(method, path);
        if (http.Response.StatusCode == StatusCodes.Status404NotFound)
            throw ApiException.UnknownUrl(method, RequestValue.Shortened(path));
    }

    static string RequestId(string given) => ClientId().IsMatch(given) ? given : $"req_{Guid.NewGuid():N}";

    [GeneratedRegex(@"^[A-Za-z0-9._-]{1,128}\z")]
    private static partial Regex ClientId();
}
