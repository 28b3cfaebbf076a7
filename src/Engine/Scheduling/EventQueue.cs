using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace Serving.Scheduling;

/// <summary>
/// What the engine's thread has written and one reader has not yet read. The engine never waits for it: it leaves a generation aside whose
/// reader is far behind, and is called when the reader has caught up.
/// </summary>
/// <param name="caughtUp">Called on the reader's thread.</param>
sealed class EventQueue(Action caughtUp) : ChannelReader<GenerationEvent>
{
    // Seconds of a fast stream: enough for every hiccup of a reader, and little memory for one that has gone.
    const int Most = 4096;

    readonly Channel<GenerationEvent> _events = Channel.CreateUnbounded<GenerationEvent>(new() { SingleReader = true, SingleWriter = true });
    int _unread, _behind;

    /// <summary>Whether the reader must catch up before it makes sense to say more.</summary>
    public bool IsBehind
    {
        get
        {
            if (Volatile.Read(ref _behind) != 0) return true;
            if (Volatile.Read(ref _unread) <= Most) return false;
            // The reader looks at the mark after it counts down, so one of the two sees the other.
            Interlocked.Exchange(ref _behind, 1);
            return Volatile.Read(ref _unread) > Most / 2 || Interlocked.Exchange(ref _behind, 0) == 0;
        }
    }

    public override Task Completion => _events.Reader.Completion;

    public void Write(GenerationEvent happened)
    {
        Interlocked.Increment(ref _unread);
        _events.Writer.TryWrite(happened);
    }

    public void Complete() => _events.Writer.TryComplete();

    public override bool TryRead([MaybeNullWhen(false)] out GenerationEvent item)
    {
        if (!_events.Reader.TryRead(out item)) return false;
        if (Interlocked.Decrement(ref _unread) <= Most / 2 && Interlocked.Exchange(ref _behind, 0) != 0) caughtUp();
        return true;
    }

    public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) => _events.Reader.WaitToReadAsync(cancellationToken);
}
