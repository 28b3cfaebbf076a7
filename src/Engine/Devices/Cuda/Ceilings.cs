using System.Diagnostics;

namespace Serving.Devices.Cuda;

/// <summary>Measures what the device reaches on the plainest work (<c>ceilings.cu</c>).</summary>
static class Ceilings
{
    const int Threads = 256;
    const int BlocksOfMultiprocessor = 8;
    const long MostBytes = 1 << 30;
    const double Seconds = 0.1;

    /// <summary>Reads memory that no cache holds, and multiplies in registers, for a tenth of a second each.</summary>
    public static DeviceCeiling Measure(CudaContext context)
    {
        context.Enter();
        var module = context.Module("ceilings.cu");
        var (read, multiply) = (module.Function("read_all"), module.Function("multiply_add"));
        var blocks = BlocksOfMultiprocessor * context.Multiprocessors;
        var bytes = Math.Min(MostBytes, context.Driver.Memory().Free / 4) / 4096 * 4096;
        var (values, sums) = (context.Allocate(bytes), context.Allocate(blocks * Threads * sizeof(float)));
        try
        {
            context.Stream.Clear(values, bytes);
            var reading = Rate(bytes, () => context.Stream.Launch(read, new(blocks), Threads, new ReadArguments(values, sums, bytes / 16)));
            const int Rounds = 256;
            var multiplying = Rate(
                2.0 * 8 * Rounds * blocks * Threads, () => context.Stream.Launch(multiply, new(blocks), Threads, new MultiplyArguments(sums, Rounds)));
            return new(reading, multiplying);
        }
        finally
        {
            context.Free(values);
            context.Free(sums);
        }

        // The first launch is warming up; then ever more of them until they take long enough to be told from their start.
        double Rate(double work, Action launch)
        {
            launch();
            context.Stream.Finish();
            for (var launches = 1; ; launches *= 2)
            {
                var start = Stopwatch.GetTimestamp();
                for (var i = 0; i < launches; i++) launch();
                context.Stream.Finish();
                var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                if (seconds >= Seconds) return work * launches / seconds;
            }
        }
    }

    readonly record struct ReadArguments(nint Values, nint Sums, long Count);

    readonly record struct MultiplyArguments(nint Sums, int Rounds);
}
