using System.Runtime.InteropServices;

namespace Serving.Devices;

/// <summary>Tells the kernel which mapped pages of a weight will be read soon, or need not stay in memory.</summary>
public static partial class StoredPages
{
    const int WillNeedAdvice = 3;
    const int DontNeedAdvice = 4;

    /// <summary>Starts reading a weight's pages from disk; does nothing where the system has no such advice.</summary>
    public static void WillNeed(StoredTensor tensor)
    {
        if (tensor.Joined is null) Advise(tensor.Data, tensor.ByteLength, WillNeedAdvice, outward: true);
    }

    /// <summary>Gives back a weight's pages, once it is copied or repacked; reading it again reads the file again.</summary>
    public static void Drop(StoredTensor tensor)
    {
        if (tensor.Joined is { } joined) joined.Release();
        else Advise(tensor.Data, tensor.ByteLength, DontNeedAdvice, outward: false);
    }

    // Pages at the edges are shared with neighbours: asked for, but never dropped.
    static void Advise(nint address, long bytes, int advice, bool outward)
    {
        if (!OperatingSystem.IsLinux())
            return;
        long page = Environment.SystemPageSize;
        var (first, last) = ((long)address, address + bytes);
        first = outward ? first / page * page : (first + page - 1) / page * page;
        last = outward ? (last + page - 1) / page * page : last / page * page;
        if (last > first)
            _ = madvise((nint)first, (nuint)(last - first), advice);
    }

    // Advice only: a refusal (a file system that cannot) leaves everything as it was.
    [LibraryImport("libc")]
    private static partial int madvise(nint address, nuint length, int advice);
}
