using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Serving.Devices;

namespace Serving.Tests;

/// <summary>
/// The CUDA device over a driver that runs its kernels on the host: g++ compiles them, threads are fibres. It shows what kernels compute and
/// how the device is driven, and nothing of their speed.
/// </summary>
static class CudaEmulator
{
    public const string Kernels = "src/Engine/Devices/Cuda/Kernels";

    const string Emulator = "tests/Engine.Tests/Devices/Cuda/Emulator";

    static readonly Lazy<(string? Library, string Reason)> Built = new(Build);

    /// <summary>The library that stands for the driver and for the compiler; skips the test where it cannot be built.</summary>
    public static string Library
    {
        get
        {
            Assert.SkipWhen(Built.Value.Library is null, Built.Value.Reason);
            return Built.Value.Library!;
        }
    }

    /// <summary>Options of a device over it.</summary>
    public static CudaOptions Options => new() { Driver = Library, Compiler = Library, CacheFolder = Path.Combine(Folder, "cache") };

    /// <summary>A device over it; or the GPU that SERVING_TEST_GPU numbers, for the same suites on a machine that has one.</summary>
    public static CudaDevice Device(ActivationType activations = ActivationType.Float32) => new((
        Environment.GetEnvironmentVariable("SERVING_TEST_GPU") is { Length: > 0 } ordinal ? CudaOptions.FromEnvironment(int.Parse(ordinal)) : Options)
        with { Activations = activations });

    static string Folder => Path.Combine(Path.GetTempPath(), $"serving-emulator-{Environment.UserName}");

    // Built once for a state of the sources, whichever process comes first.
    static (string? Library, string Reason) Build()
    {
        if (!Directory.Exists(Path.Combine(Repository.Root, Kernels))) return (null, "The emulated CUDA driver is built from this repository's sources, which are not here.");
        var sources = Repository.Files(Kernels).Concat(Repository.Files(Emulator)).Order(StringComparer.Ordinal).ToArray();
        var text = new StringBuilder();
        foreach (var source in sources) text.Append(source).Append('\0').Append(File.ReadAllText(Path.Combine(Repository.Root, source)));
        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..16];
        var library = Path.Combine(Folder, $"libcuda-{key}.so");
        if (File.Exists(library)) return (library, "");
        Directory.CreateDirectory(Folder);
        var written = $"{library}.{Environment.ProcessId}";
        var failure = Compile([.. sources.Where(source => Path.GetExtension(source) is ".cu" or ".cpp")], written);
        if (failure is not null) return (null, failure);
        File.Move(written, library, overwrite: true);
        return (library, "");
    }

    // Null where it went well. No compiler is a reason to skip; sources that it refuses are a failure.
    static string? Compile(string[] sources, string output)
    {
        string[] arguments =
        [
            "-std=c++20", "-O2", "-mfma", "-ffp-contract=off", "-fPIC", "-shared", "-fvisibility=hidden", "-DEMULATED", "-I", Emulator, "-o", output,
            "-x", "c++", .. sources,
        ];
        try
        {
            using var compiler = Process.Start(
                new ProcessStartInfo("g++", arguments) { RedirectStandardError = true, WorkingDirectory = Repository.Root })!;
            var errors = compiler.StandardError.ReadToEnd();
            compiler.WaitForExit();
            return compiler.ExitCode == 0 ? null : throw new InvalidOperationException($"g++ refuses the kernels:\n{errors}");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "There is no g++, which the emulated CUDA driver is built with (Debian: apt-get install g++).";
        }
    }
}
