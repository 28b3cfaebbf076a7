using System.Collections;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices;

/// <summary>The instructions that kernels are compiled to. Each class rounds as its instructions do, so it belongs to the numeric path.</summary>
public enum KernelClass
{
    /// <summary>Vectors of 128 bits; products and sums are rounded each where a processor does not fuse them.</summary>
    Portable,

    /// <summary>Vectors of 256 bits with fused multiply-adds.</summary>
    Avx2,

    /// <summary>Vectors of 512 bits, and machine code for VNNI and bfloat16 where the processor has them.</summary>
    Avx512,
}

/// <summary>Which class a process has. The runtime decides when it starts, so another one is taken by starting the program again in its place.</summary>
public static partial class Kernels
{
    const string WithoutAvx512 = "DOTNET_EnableAVX512", WithoutAvx2 = "DOTNET_EnableAVX2";

    /// <summary>The class of this process: the best that the machine has and the environment allows.</summary>
    public static KernelClass Here { get; } =
        Avx512F.IsSupported && Avx512BW.IsSupported ? KernelClass.Avx512 : Avx2.IsSupported && Fma.IsSupported ? KernelClass.Avx2 : KernelClass.Portable;

    /// <summary>
    /// Returns if the process has a class, and else starts the program again with it, under the same process id. To be called before
    /// anything is opened or said.
    /// </summary>
    /// <exception cref="ArgumentException">The machine does not have it, or the program cannot be started again; the message says what to do.</exception>
    public static void Choose(KernelClass wanted)
    {
        if (wanted == Here) return;
        if (wanted > Here) throw new ArgumentException(Refusal(wanted));
        var variable = wanted == KernelClass.Avx2 ? WithoutAvx512 : WithoutAvx2;
        if (IsOff(variable) || !OperatingSystem.IsLinux())
            throw new ArgumentException($"Kernels of the class {Name(wanted)} need a program that was started with {variable}=0 in its environment; this one has {Name(Here)}.");
        string?[] arguments = [.. File.ReadAllText("/proc/self/cmdline").Split('\0')[..^1], null];
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(entry => (string?)$"{entry.Key}={entry.Value}");
        _ = Execute("/proc/self/exe", arguments, [.. environment, $"{variable}=0", null]);
        throw new ArgumentException($"The program could not be started again for kernels of the class {Name(wanted)} (error {Marshal.GetLastPInvokeError()}); start it with {variable}=0 in its environment.");
    }

    /// <summary>The name of a class, as options spell it.</summary>
    public static string Name(KernelClass kernels) => kernels.ToString().ToLowerInvariant();

    static string Refusal(KernelClass wanted)
    {
        var off = new[] { WithoutAvx512, WithoutAvx2 }.Where(IsOff).ToArray();
        return $"Kernels of the class {Name(wanted)} are not to be had: this machine has {Name(Here)}"
            + (off.Length > 0 ? $" while the environment says {string.Join(" and ", off.Select(variable => variable + "=0"))}." : $". Take {Name(Here)} or auto.");
    }

    static bool IsOff(string variable) => Environment.GetEnvironmentVariable(variable) == "0";

    [LibraryImport("libc", EntryPoint = "execve", SetLastError = true, StringMarshalling = StringMarshalling.Utf8), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Execute(string path, string?[] arguments, string?[] environment);
}
