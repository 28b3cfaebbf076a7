using System.Globalization;
using System.Runtime.InteropServices;

namespace Serving.Devices.Cpu;

/// <summary>Zeroed memory from the system, in huge pages where the kernel gives them.</summary>
static unsafe partial class SystemMemory
{
    const long HugePage = 2 << 20;
    const int ReadWrite = 3, PrivateAnonymous = 0x22, AdviseHugePages = 14;

    /// <summary>Takes zeroed memory aligned to 64 bytes; throws <see cref="InsufficientMemoryException"/> when there is none.</summary>
    public static nint Take(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        bytes = Math.Max(bytes, 64);
        if (!IsMapped(bytes))
        {
            var block = NativeMemory.AlignedAlloc((nuint)bytes, 64);
            NativeMemory.Clear(block, (nuint)bytes);
            return (nint)block;
        }
        var address = Map(0, (nuint)bytes, ReadWrite, PrivateAnonymous, -1, 0);
        if (address == -1)
            throw new InsufficientMemoryException($"The system refused {bytes:N0} bytes of memory; {FreeBytes():N0} bytes are free. Give the cache less (--kv-cache-memory-bytes), or take fewer tokens a step (--max-num-batched-tokens).");
        // A refusal leaves small pages: slower, still right.
        _ = Advise(address, (nuint)bytes, AdviseHugePages);
        return address;
    }

    /// <summary>Gives back what <see cref="Take"/> gave for as many bytes.</summary>
    public static void Give(nint address, long bytes)
    {
        bytes = Math.Max(bytes, 64);
        if (IsMapped(bytes)) _ = Unmap(address, (nuint)bytes);
        else NativeMemory.AlignedFree((void*)address);
    }

    /// <summary>Bytes that may still be taken: the least of what the system and the control group leave.</summary>
    public static long FreeBytes()
    {
        if (!OperatingSystem.IsLinux()) return GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var free = long.MaxValue;
        foreach (var line in File.ReadLines("/proc/meminfo"))
        {
            if (!line.StartsWith("MemAvailable:", StringComparison.Ordinal)) continue;
            free = long.Parse(line.AsSpan(13, line.Length - 16).Trim(), NumberStyles.None, CultureInfo.InvariantCulture) * 1024;
            break;
        }
        free = Math.Min(free, Left("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"));
        return Math.Min(free, Left("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"));
    }

    static bool IsMapped(long bytes) => bytes >= HugePage && OperatingSystem.IsLinux();

    // A limit that is absent, "max" or unreadable limits nothing.
    static long Left(string limit, string used) =>
        File.Exists(limit) && File.Exists(used)
        && long.TryParse(File.ReadAllText(limit).AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var most)
        && long.TryParse(File.ReadAllText(used).AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var taken)
            ? Math.Max(0, most - taken)
            : long.MaxValue;

    [LibraryImport("libc", EntryPoint = "mmap"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Map(nint address, nuint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmap(nint address, nuint bytes);

    [LibraryImport("libc", EntryPoint = "madvise"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Advise(nint address, nuint bytes, int advice);
}
