namespace Serving.Server.Http;

/// <summary>What a client is told of whatever ended its request.</summary>
sealed class RequestErrors(ServerOptions options, ServerMetrics metrics, ILogger<RequestErrors> logger)
{
    public ApiError Of(Exception error, HttpContext http)
    {
        var told = Told(error, http);
        metrics.Refused(told);
        return told;
    }

    ApiError Told(Exception error, HttpContext http)
    {
        switch (Deadline.Reason(http, error))
        {
            case ApiException refusal:
                return refusal.Error;
            case BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge }:
                return ApiException.TooLarge(options.MaxRequestBytes).Error;
            case BadHttpRequestException bad:
                return ApiException.Malformed(bad.Message).Error;
            case var bug:
                ServerLog.RequestFailed(logger, bug, http.TraceIdentifier);
                return ApiException.Internal(http.TraceIdentifier).Error;
        }
    }
}
