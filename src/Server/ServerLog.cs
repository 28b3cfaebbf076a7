namespace Serving.Server;

/// <summary>Every log message of the server, numbered.</summary>
static partial class ServerLog
{
    [LoggerMessage(100, LogLevel.Information, "Loading {Model}.")]
    public static partial void Loading(ILogger logger, string model);

    [LoggerMessage(101, LogLevel.Information, "Loaded {Model} in {Seconds:F2} s on {Device}; a context holds {Tokens} tokens.")]
    public static partial void Loaded(ILogger logger, string model, double seconds, string device, int tokens);

    [LoggerMessage(102, LogLevel.Critical, "{Model} cannot be served: {Reason}")]
    public static partial void LoadFailed(ILogger logger, string model, string reason);

    [LoggerMessage(103, LogLevel.Debug, "The reason in full.")]
    public static partial void LoadFailedBecause(ILogger logger, Exception error);

    [LoggerMessage(104, LogLevel.Information, "Draining: running requests have {Seconds} s to end.")]
    public static partial void Draining(ILogger logger, double seconds);

    [LoggerMessage(105, LogLevel.Warning, "The keys of {File} stay as they were: {Reason}")]
    public static partial void KeysNotRead(ILogger logger, string file, string reason);

    [LoggerMessage(106, LogLevel.Error, "No step has ended for {Seconds} s while work waits.")]
    public static partial void Stalled(ILogger logger, double seconds);

    [LoggerMessage(107, LogLevel.Information, "Steps end again.")]
    public static partial void Recovered(ILogger logger);

    [LoggerMessage(108, LogLevel.Information, "{Notice}")]
    public static partial void Notice(ILogger logger, string notice);

    [LoggerMessage(110, LogLevel.Error, "Request {RequestId} failed.")]
    public static partial void RequestFailed(ILogger logger, Exception error, string requestId);

    [LoggerMessage(111, LogLevel.Debug, "The client of request {RequestId} left ({Error}).")]
    public static partial void ClientLeft(ILogger logger, string requestId, string error);

    [LoggerMessage(113, LogLevel.Information, "The certificate of {File} is read anew.")]
    public static partial void CertificateRead(ILogger logger, string file);

    [LoggerMessage(114, LogLevel.Warning, "TLS goes on with what it had: {Reason}")]
    public static partial void CertificateNotRead(ILogger logger, string reason);
}
