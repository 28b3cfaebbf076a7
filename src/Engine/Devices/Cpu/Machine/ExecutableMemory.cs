using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices.Cpu;

/// <summary>Machine code that this process has written and may call: for instructions that .NET does not expose.</summary>
static unsafe partial class ExecutableMemory
{
    const int ReadWrite = 3, ReadExecute = 5, PrivateAnonymous = 0x22;

    // Kernels follow the System V convention and are written for 512 bits; "ret" alone shows whether the system lets them run.
    static bool Runs { get; } = OperatingSystem.IsLinux() && X86Base.X64.IsSupported && Avx512BW.IsSupported && Place([0xc3]) != 0;

    /// <summary>True where the processor multiplies pairs of 16-bit integers on 512 bits (AVX512_VNNI) and code can be placed.</summary>
    public static bool HasVnni { get; } = Runs && (Leaf7.Ecx & 1 << 11) != 0;

    /// <summary>True where the processor multiplies pairs of bfloat16 on 512 bits (AVX512_BF16) and code can be placed.</summary>
    public static bool HasBFloat16 { get; } = Runs && (X86Base.CpuId(7, 1).Eax & 1 << 5) != 0;

    static (int Eax, int Ebx, int Ecx, int Edx) Leaf7 => X86Base.CpuId(7, 0);

    /// <summary>The address of a copy of the code that can be called, for the life of the process; 0 when the system refuses.</summary>
    public static nint Place(ReadOnlySpan<byte> code)
    {
        var bytes = (nuint)((code.Length + 4095) / 4096 * 4096);
        var address = Map(0, bytes, ReadWrite, PrivateAnonymous, -1, 0);
        if (address == -1) return 0;
        code.CopyTo(new Span<byte>((void*)address, code.Length));
        if (Protect(address, bytes, ReadExecute) == 0) return address;
        _ = Unmap(address, bytes);
        return 0;
    }

    [LibraryImport("libc", EntryPoint = "mmap"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Map(nint address, nuint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Protect(nint address, nuint bytes, int protection);

    [LibraryImport("libc", EntryPoint = "munmap"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmap(nint address, nuint bytes);
}
