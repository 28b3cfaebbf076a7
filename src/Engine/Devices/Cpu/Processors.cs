using System.Runtime.InteropServices;

namespace Serving.Devices.Cpu;

/// <summary>The processors that this process may use, and threads bound to them.</summary>
static partial class Processors
{
    const int Words = 16;

    /// <summary>
    /// Binds the calling thread to the processor of that number among those the process may use, counted round; does nothing where the
    /// system has no such call or refuses it.
    /// </summary>
    public static void Bind(int number)
    {
        if (!OperatingSystem.IsLinux()) return;
        Span<ulong> allowed = stackalloc ulong[Words], one = stackalloc ulong[Words];
        if (GetAffinity(0, Words * sizeof(ulong), ref allowed[0]) != 0) return;
        var count = 0;
        foreach (var word in allowed) count += System.Numerics.BitOperations.PopCount(word);
        var left = number % Math.Max(1, count);
        for (var processor = 0; processor < Words * 64; processor++)
        {
            if ((allowed[processor / 64] >> processor % 64 & 1) == 0 || left-- > 0) continue;
            one[processor / 64] = 1ul << processor % 64;
            _ = SetAffinity(0, Words * sizeof(ulong), ref one[0]);
            return;
        }
    }

    [LibraryImport("libc", EntryPoint = "sched_getaffinity"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int GetAffinity(int thread, nint bytes, ref ulong mask);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetAffinity(int thread, nint bytes, ref ulong mask);
}
