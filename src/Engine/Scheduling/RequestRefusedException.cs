namespace Serving.Scheduling;

/// <summary>Why a request was not taken.</summary>
public enum RefusalReason
{
    /// <summary>A part of the request makes no sense.</summary>
    Invalid,

    /// <summary>The prompt with its limit does not fit the context or the cache.</summary>
    TooLong,

    /// <summary>Too much waits already: try again later.</summary>
    Overloaded,

    /// <summary>The engine is stopping.</summary>
    Stopping,
}

/// <summary>A request was refused at the door: its message is for the caller, with the numbers and the remedy.</summary>
public sealed class RequestRefusedException : Exception
{
    /// <summary>A refusal of a reason, with the parameter at fault as requests spell it.</summary>
    public RequestRefusedException(RefusalReason reason, string message, string? parameter = null) : base(message) =>
        (Reason, Parameter) = (reason, parameter);

    /// <summary>Why.</summary>
    public RefusalReason Reason { get; }

    /// <summary>After which time the same request may be taken; null where no time helps.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>How many requests of the caller may wait; null where that is not the matter.</summary>
    public int? QueueLimit { get; init; }

    /// <summary>The parameter at fault, as requests spell it; null when it is none in particular.</summary>
    public string? Parameter { get; }
}
