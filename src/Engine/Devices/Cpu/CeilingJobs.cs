using System.Diagnostics;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Measures what the machine reaches with this team: medians of several passes.</summary>
static unsafe class CeilingJobs
{
    const long Bytes = 256 << 20;
    const int Passes = 7, Parts = 64;
    const int Chains = 16, Turns = 200_000;

    /// <summary>Reads memory and multiplies on registers for about a quarter of a second.</summary>
    public static DeviceCeiling Measure(WorkerTeam team)
    {
        var memory = SystemMemory.Take(Bytes);
        try
        {
            new Span<byte>((void*)memory, (int)Bytes).Fill(1);
            var read = Median(team, new ReadJob { Memory = (byte*)memory }, Parts);
            // Sums of 512 bits would not stay in the registers of a narrower class.
            var (multiply, lanes) = Kernels.Here == KernelClass.Avx512
                ? (Median(team, new MultiplyJob(), Parts), Vector512<float>.Count)
                : (Median(team, new NarrowMultiplyJob(), Parts), Vector256<float>.Count);
            return new(Bytes / read, 2.0 * Chains * lanes * Turns * Parts / multiply);
        }
        finally
        {
            SystemMemory.Give(memory, Bytes);
        }
    }

    static double Median<TJob>(WorkerTeam team, TJob job, int parts) where TJob : unmanaged, IJob
    {
        var seconds = new double[Passes];
        team.Run(ref job, parts);
        foreach (ref var pass in seconds.AsSpan())
        {
            var start = Stopwatch.GetTimestamp();
            team.Run(ref job, parts);
            pass = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        Array.Sort(seconds);
        return seconds[Passes / 2];
    }

    // What the loops compute is stored where the compiler must believe that somebody looks.
    static float s_sink;

    struct ReadJob : IJob
    {
        public byte* Memory;

        public readonly void Run(int part, int worker)
        {
            var from = Memory + part * (Bytes / Parts);
            var to = from + Bytes / Parts;
            var (a, b, c, d) = (Vector512<int>.Zero, Vector512<int>.Zero, Vector512<int>.Zero, Vector512<int>.Zero);
            for (var at = from; at < to; at += 256)
            {
                a ^= Vector512.Load((int*)at);
                b ^= Vector512.Load((int*)(at + 64));
                c ^= Vector512.Load((int*)(at + 128));
                d ^= Vector512.Load((int*)(at + 192));
            }
            s_sink = Vector512.Sum(a ^ b ^ c ^ d);
        }
    }

    struct MultiplyJob : IJob
    {
        public readonly void Run(int part, int worker)
        {
            var (x, y) = (Vector512.Create(1.0000001f), Vector512.Create(1e-9f));
            Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x;
            for (var turn = 0; turn < 2 * Turns; turn++)
            {
                a = Vector512.MultiplyAddEstimate(a, x, y);
                b = Vector512.MultiplyAddEstimate(b, x, y);
                c = Vector512.MultiplyAddEstimate(c, x, y);
                d = Vector512.MultiplyAddEstimate(d, x, y);
                e = Vector512.MultiplyAddEstimate(e, x, y);
                f = Vector512.MultiplyAddEstimate(f, x, y);
                g = Vector512.MultiplyAddEstimate(g, x, y);
                h = Vector512.MultiplyAddEstimate(h, x, y);
            }
            s_sink = Vector512.Sum(a + b + c + d + e + f + g + h);
        }
    }

    struct NarrowMultiplyJob : IJob
    {
        public readonly void Run(int part, int worker)
        {
            var (x, y) = (Vector256.Create(1.0000001f), Vector256.Create(1e-9f));
            Vector256<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x;
            for (var turn = 0; turn < 2 * Turns; turn++)
            {
                a = Vector256.MultiplyAddEstimate(a, x, y);
                b = Vector256.MultiplyAddEstimate(b, x, y);
                c = Vector256.MultiplyAddEstimate(c, x, y);
                d = Vector256.MultiplyAddEstimate(d, x, y);
                e = Vector256.MultiplyAddEstimate(e, x, y);
                f = Vector256.MultiplyAddEstimate(f, x, y);
                g = Vector256.MultiplyAddEstimate(g, x, y);
                h = Vector256.MultiplyAddEstimate(h, x, y);
            }
            s_sink = Vector256.Sum(a + b + c + d + e + f + g + h);
        }
    }
}
