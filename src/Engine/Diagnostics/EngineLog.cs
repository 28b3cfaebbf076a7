using Microsoft.Extensions.Logging;

namespace Serving.Diagnostics;

/// <summary>Every log message of the engine's loop, numbered.</summary>
static partial class EngineLog
{
    [LoggerMessage(1, LogLevel.Information, "Cache: {Arithmetic}. A sequence holds at most {MaxLength} tokens.")]
    public static partial void CacheReady(ILogger logger, string arithmetic, int maxLength);

    [LoggerMessage(2, LogLevel.Error, "A step of {Rows} rows for {Sequences} sequences failed; they end here.")]
    public static partial void StepFailed(ILogger logger, Exception exception, int rows, int sequences);

    [LoggerMessage(3, LogLevel.Warning, "A sequence failed: {Error}")]
    public static partial void SequenceFailed(ILogger logger, string error);

    [LoggerMessage(4, LogLevel.Information, "The engine stopped after {Steps} steps and {Tokens} generated tokens.")]
    public static partial void Stopped(ILogger logger, long steps, long tokens);

    [LoggerMessage(6, LogLevel.Error, "What guesses ahead failed: there are no guesses from here on, and answers are the same without.")]
    public static partial void DraftFailed(ILogger logger, Exception exception);

    [LoggerMessage(5, LogLevel.Critical, "The engine's thread ended: what was asked is failed, and nothing more is taken.")]
    public static partial void LoopFailed(ILogger logger, Exception exception);
}
