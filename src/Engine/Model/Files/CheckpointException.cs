namespace Serving.Model;

/// <summary>
/// A checkpoint that cannot be served as it is: the message names the file and the place, what was found and what would do.
/// </summary>
public sealed class CheckpointException : Exception
{
    /// <summary>An error without details; prefer the one with a message.</summary>
    public CheckpointException()
    {
    }

    /// <summary>An error with a message for the person who named the path.</summary>
    public CheckpointException(string message) : base(message)
    {
    }

    /// <summary>An error that another one caused.</summary>
    public CheckpointException(string message, Exception inner) : base(message, inner)
    {
    }
}
