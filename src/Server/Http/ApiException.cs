namespace Serving.Server.Http;

/// <summary>An error the client is told of: a status, and the members of the envelope that every error body has.</summary>
sealed record ApiError(int Status, string Type, string Message)
{
    /// <summary>The field at fault, as a path such as <c>messages[2].content</c>.</summary>
    public string? Param { get; init; }

    /// <summary>A stable word for programs.</summary>
    public string? Code { get; init; }

    /// <summary>After how many seconds a retry may succeed.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>How many requests of the client may wait, where that is what stood against it.</summary>
    public int? QueueLimit { get; init; }
}

/// <summary>Ends a request with an <see cref="ApiError"/>.</summary>
sealed class ApiException(ApiError error) : Exception(error.Message)
{
    const string InvalidRequest = "invalid_request_error";
    const string ServerError = "server_error";

    public ApiError Error { get; } = error;

    /// <summary>A field whose value cannot be served.</summary>
    public static ApiException Invalid(string? param, string? code, string message) =>
        new(new(StatusCodes.Status400BadRequest, InvalidRequest, message) { Param = param, Code = code });

    /// <summary>A body that could not be read as JSON.</summary>
    public static ApiException Malformed(string message) => new(new(StatusCodes.Status400BadRequest, InvalidRequest, message));

    /// <summary>A required field that is absent.</summary>
    public static ApiException Missing(string param) =>
        Invalid(param, "missing_required_parameter", $"Missing required parameter: '{param}'.");

    /// <summary>A field of the protocol that would change the answer and is not served.</summary>
    public static ApiException Unsupported(string param, string message) => Invalid(param, "unsupported_parameter", message);

    /// <summary>A prompt and its answer do not fit the context.</summary>
    public static ApiException TooLong(string param, string message) => Invalid(param, "context_length_exceeded", message);

    public static ApiException UnknownModel(string model) => new(new(StatusCodes.Status404NotFound, InvalidRequest,
        $"The model '{model}' does not exist; GET /v1/models lists those that do.") { Param = "model", Code = "model_not_found" });

    public static ApiException UnknownUrl(string method, string path) => new(new(StatusCodes.Status404NotFound, InvalidRequest,
        $"Unknown request URL: {method} {path}.") { Code = "unknown_url" });

    public static ApiException WrongMethod(string method, string path) => new(new(
        StatusCodes.Status405MethodNotAllowed, InvalidRequest, $"{method} is not served at {path}; the Allow header lists what is.")
    { Code = "method_not_supported" });

    public static ApiException NoKey() => new(new(StatusCodes.Status401Unauthorized, InvalidRequest,
        "No API key was given: send it as 'Authorization: Bearer KEY'."));

    public static ApiException BadKey() => new(new(StatusCodes.Status401Unauthorized, InvalidRequest,
        "The API key is not one of this server's.") { Code = "invalid_api_key" });

    public static ApiException Forbidden(string path) => new(new(StatusCodes.Status403Forbidden, "permission_error",
        $"This API key does not open {path}."));

    public static ApiException TooLarge(long limit) => new(new(StatusCodes.Status413PayloadTooLarge, InvalidRequest,
        $"The request body is larger than {limit} bytes.") { Code = "request_too_large" });

    public static ApiException NotJson(string? contentType) => new(new(StatusCodes.Status415UnsupportedMediaType, InvalidRequest,
        $"The content type is '{contentType}'; send the header 'Content-Type: application/json'.") { Code = "unsupported_media_type" });

    /// <summary>A body that was compressed.</summary>
    public static ApiException Packed(string coding) => new(new(StatusCodes.Status415UnsupportedMediaType, InvalidRequest,
        $"The body's Content-Encoding is '{coding}'; send it as it is.") { Code = "unsupported_media_type" });

    /// <summary>A method of gRPC was asked for by something else.</summary>
    public static ApiException NotGrpc(string protocol, string? contentType) => HttpProtocol.IsHttp2(protocol)
        ? new(new(StatusCodes.Status415UnsupportedMediaType, InvalidRequest,
            $"The content type is '{contentType}', but this is a method of gRPC; send application/grpc.") { Code = "unsupported_media_type" })
        : new(new(StatusCodes.Status426UpgradeRequired, InvalidRequest,
            $"This is a method of gRPC, which needs HTTP/2; the request came as {protocol}.") { Code = "http2_required" });

    public static ApiException Busy(string message, TimeSpan? retryAfter, int? limit) => new(new(StatusCodes.Status429TooManyRequests, "rate_limit_error", message)
    { Code = "rate_limit_exceeded", RetryAfter = (int)Math.Ceiling(retryAfter?.TotalSeconds ?? 1), QueueLimit = limit });

    /// <summary>The time that the client or the server gave a request is over.</summary>
    public static ApiException TimedOut(TimeSpan limit) => new(new(StatusCodes.Status408RequestTimeout, "timeout_error",
        $"The request was not answered within {limit.TotalSeconds:0.###} s.") { Code = "request_timeout" });

    public static ApiException Loading() => new(new(StatusCodes.Status503ServiceUnavailable, ServerError,
        "The model is still loading.") { Code = "model_loading", RetryAfter = 2 });

    public static ApiException Draining() => new(new(StatusCodes.Status503ServiceUnavailable, ServerError,
        "The server is shutting down.") { Code = "server_draining", RetryAfter = 5 });

    /// <summary>A generation that the engine gave up.</summary>
    public static ApiException Failed(string reason) => new(new(StatusCodes.Status500InternalServerError, ServerError,
        $"The generation failed: {reason}"));

    public static ApiException Internal(string requestId) => new(new(StatusCodes.Status500InternalServerError, ServerError,
        $"The server failed to answer; its log has the reason under request id {requestId}."));
}
