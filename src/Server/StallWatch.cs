namespace Serving.Server;

/// <summary>Notices, from one look to the next, that work waits and no step ends.</summary>
sealed class StallWatch(TimeSpan patience, TimeProvider time)
{
    readonly Lock _lock = new();
    long _steps = -1;
    long _since;

    /// <summary>Whether no step has ended for longer than the patience, while something waits for one.</summary>
    /// <param name="steps">Steps so far.</param>
    /// <param name="hasWork">Whether anything waits for the next one.</param>
    public bool IsStalled(long steps, bool hasWork)
    {
        lock (_lock)
        {
            if (steps != _steps || !hasWork)
                (_steps, _since) = (steps, time.GetTimestamp());
            return time.GetElapsedTime(_since) > patience;
        }
    }
}
