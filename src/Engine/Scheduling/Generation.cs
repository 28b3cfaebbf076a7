using System.Threading.Channels;

namespace Serving.Scheduling;

/// <summary>The caller's view of a request: its events in order, and the means to end it. Disposing cancels what still runs.</summary>
public sealed class Generation : IDisposable
{
    readonly EventQueue _events;
    readonly Action<Generation> _wake;
    readonly bool[] _stopped;
    CancellationTokenRegistration _cancellation;
    volatile bool _cancelled;

    internal Generation(Sequence lead, Action<Generation> wake, long submitted)
    {
        (Request, Sequences, Submitted, _wake) = (lead.Request, [lead, .. lead.Forks], submitted, wake);
        _events = new(() => wake(this));
        (_stopped, Unfinished) = (new bool[Sequences.Length], Sequences.Length);
        foreach (var sequence in Sequences) sequence.Generation = this;
    }

    /// <summary>What was asked.</summary>
    public GenerationRequest Request { get; }

    /// <summary>
    /// What happens, in order, for one reader: completes after the last choice's end. The engine never waits for the reader; it goes on with
    /// other requests while thousands of events are unread.
    /// </summary>
    public ChannelReader<GenerationEvent> Events => _events;

    /// <summary>Ends all choices with <see cref="FinishReason.Cancelled"/>, within one step.</summary>
    public void Cancel()
    {
        if (_cancelled) return;
        _cancelled = true;
        _wake(this);
    }

    /// <summary>Ends one choice with <see cref="FinishReason.Stop"/>, within a step but after its first token: its caller has seen enough.</summary>
    public void Stop(int choice)
    {
        Volatile.Write(ref _stopped[choice], true);
        _wake(this);
    }

    /// <inheritdoc/>
    public void Dispose() => Cancel();

    /// <summary>One for each choice; the first computes the prompt.</summary>
    internal Sequence[] Sequences { get; }

    /// <summary>Time stamp of the submission.</summary>
    internal long Submitted { get; }

    /// <summary>True once the scheduler has it.</summary>
    internal bool Entered { get; set; }

    /// <summary>True once it had a step.</summary>
    internal bool Started { get; set; }

    /// <summary>Choices that go on.</summary>
    internal int Unfinished { get; private set; }

    internal bool IsCancelled => _cancelled;

    /// <summary>Whether its reader has enough to read.</summary>
    internal bool IsBehind => _events.IsBehind;

    internal bool IsStopped(int choice) => Volatile.Read(ref _stopped[choice]);

    internal void CancelWith(CancellationToken cancellation)
    {
        if (cancellation.CanBeCanceled) _cancellation = cancellation.UnsafeRegister(static self => ((Generation)self!).Cancel(), this);
    }

    internal void Publish(GenerationEvent happened)
    {
        _events.Write(happened);
        if (happened is not GenerationEvent.Finished || --Unfinished > 0) return;
        _events.Complete();
        _cancellation.Unregister();
    }
}
