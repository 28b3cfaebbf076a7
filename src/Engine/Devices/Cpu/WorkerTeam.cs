using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices.Cpu;

/// <summary>Work that falls into numbered parts, which may run at once and in any order.</summary>
interface IJob
{
    /// <summary>Does part <paramref name="part"/> as worker <paramref name="worker"/>, whose scratch is its own.</summary>
    void Run(int part, int worker);
}

/// <summary>
/// Fixed threads that share out the parts of a job and meet again; the caller is worker 0. Each begins with a range of its own, and takes
/// the others' parts when it has none left: jobs that number their parts by rows then find in a core's cache what the job before left there,
/// which matters where a line that another core has written comes slowly. Workers spin for a while after a job, since the next one mostly
/// follows within microseconds, and then sleep so that the server's threads get the cores.
/// </summary>
sealed unsafe class WorkerTeam : IDisposable
{
    static readonly long SpinTicks = Stopwatch.Frequency / 10_000;

    // A thread that calls this often in a row runs an engine: it keeps its processor too. One that loads a model calls less often.
    const int CallsOfEngine = 2000;

    readonly bool _bound;
    readonly Thread[] _threads;
    int _caller, _calls;
    readonly SemaphoreSlim _wake = new(0);
    readonly Ticket[] _tickets;
    Shared _shared;
    delegate*<void*, int, int, void> _call;
    void* _job;
    volatile bool _stopped;

    /// <summary>
    /// Starts <paramref name="workers"/> - 1 threads, bound to a processor each when asked, and the thread that runs an engine to another: a
    /// system that is busy otherwise may leave them all on the caller's processor.
    /// </summary>
    public WorkerTeam(int workers, bool bound = false)
    {
        (Workers, _bound) = (workers, bound);
        _tickets = new Ticket[workers];
        _threads = new Thread[workers - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            var worker = i + 1;
            _threads[i] = new Thread(() => Serve(worker, bound)) { IsBackground = true, Name = $"cpu-worker-{worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Workers, the caller included.</summary>
    public int Workers { get; }

    /// <summary>Runs all parts of a job, on the caller alone when asked, and returns when all are done. One caller at a time.</summary>
    public void Run<TJob>(ref TJob job, int parts, bool alone = false) where TJob : unmanaged, IJob
    {
        if (parts <= 1 || Workers == 1 || alone)
        {
            for (var part = 0; part < parts; part++) job.Run(part, 0);
            return;
        }
        if (_bound) BindCaller();
        fixed (TJob* pinned = &job)
        {
            _call = &Call<TJob>;
            _job = pinned;
            Volatile.Write(ref _shared.Done, 0);
            for (var worker = 0; worker < Workers; worker++)
                Interlocked.Exchange(ref _tickets[worker].Next, FirstPart(parts, worker + 1) << 32 | FirstPart(parts, worker));
            Interlocked.Increment(ref _shared.Jobs);
            var asleep = Volatile.Read(ref _shared.Asleep) == 0 ? 0 : Interlocked.Exchange(ref _shared.Asleep, 0);
            if (asleep > 0) _wake.Release(asleep);
            TakeParts(0);
            for (var spins = 1; Volatile.Read(ref _shared.Done) != parts; spins++) Pause(spins);
        }
    }

    void BindCaller()
    {
        var caller = Environment.CurrentManagedThreadId;
        if (caller != _caller) (_caller, _calls) = (caller, 0);
        if (_calls < CallsOfEngine && ++_calls == CallsOfEngine) Processors.Bind(0);
    }

    /// <summary>Ends the threads.</summary>
    public void Dispose()
    {
        _stopped = true;
        if (_threads.Length > 0) _wake.Release(_threads.Length);
        foreach (var thread in _threads) thread.Join();
        _wake.Dispose();
    }

    static void Call<TJob>(void* job, int part, int worker) where TJob : unmanaged, IJob => ((TJob*)job)->Run(part, worker);

    long FirstPart(int parts, int worker) => (long)parts * worker / Workers;

    // A ticket holds the end of a worker's range above and its next part below, so that a part is claimed together with the
    // proof that it belongs to the job in hand: the job cannot change before all its claimed parts are done.
    void TakeParts(int worker)
    {
        for (var i = 0; i < Workers; i++)
        {
            ref var next = ref _tickets[(worker + i) % Workers].Next;
            while (HasParts(Volatile.Read(ref next)))
            {
                var claim = Interlocked.Increment(ref next) - 1;
                if (!HasParts(claim)) break;
                _call(_job, (int)claim, worker);
                Interlocked.Increment(ref _shared.Done);
            }
        }
    }

    static bool HasParts(long ticket) => (int)ticket < (int)(ticket >> 32);

    void Serve(int worker, bool bound)
    {
        if (bound) Processors.Bind(worker);
        long seen = 0;
        while (!_stopped)
        {
            var since = Stopwatch.GetTimestamp();
            for (var spins = 1; !_stopped; spins++)
            {
                if (Volatile.Read(ref _shared.Jobs) is var jobs && jobs != seen)
                {
                    seen = jobs;
                    TakeParts(worker);
                    since = Stopwatch.GetTimestamp();
                }
                else if (spins % 64 == 0 && Stopwatch.GetTimestamp() - since > SpinTicks)
                {
                    break;
                }
                else
                {
                    Pause(1);
                }
            }
            Interlocked.Increment(ref _shared.Asleep);
            // A job published before the increment was seen did not wake this worker: look once more.
            if (Volatile.Read(ref _shared.Jobs) == seen) _wake.Wait();
        }
    }

    static void Pause(int spins)
    {
        if (spins % 16384 == 0) Thread.Yield();
        else if (X86Base.IsSupported) X86Base.Pause();
        else Thread.SpinWait(1);
    }

    // Lines of their own: the count of jobs is read by all who wait, that of done parts written by all, that of sleepers seldom.
    [StructLayout(LayoutKind.Explicit, Size = 320)]
    struct Shared
    {
        [FieldOffset(64)] public long Jobs;
        [FieldOffset(128)] public int Done;
        [FieldOffset(192)] public int Asleep;
    }

    // A line of its own, and none that is fetched with a neighbour's.
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    struct Ticket
    {
        [FieldOffset(64)] public long Next;
    }
}
