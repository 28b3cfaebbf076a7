using System.Diagnostics;

namespace Serving.Tests;

/// <summary>Every source of kernels is CUDA C++ that becomes PTX for the devices that are served; clang compiles it, without a CUDA toolkit.</summary>
public sealed class CudaSourceTests
{
    public static TheoryData<string, string> Sources
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var file in Repository.Files(CudaEmulator.Kernels).Where(file => file.EndsWith(".cu", StringComparison.Ordinal)))
                foreach (var architecture in new[] { "sm_80", "sm_90" })
                    data.Add(Path.GetFileName(file), architecture);
            return data;
        }
    }

    [Theory, MemberData(nameof(Sources))]
    public async Task A_source_becomes_ptx_without_a_spill_of_arrays(string source, string architecture)
    {
        var output = Path.GetTempFileName();
        try
        {
            using var script = Process.Start(new ProcessStartInfo(Fixtures.InRepository("src/Engine/Devices/Cuda/Kernels/ptx"), [source, architecture, output])
            {
                RedirectStandardError = true,
            })!;
            var errors = await script.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await script.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.SkipWhen(script.ExitCode == 127, "There is no clang-19, which compiles kernels to PTX (Debian: apt-get install clang-19).");
            Assert.True(script.ExitCode == 0, errors);

            var ptx = await File.ReadAllTextAsync(output, TestContext.Current.CancellationToken);
            Assert.Contains($".target {architecture}", ptx);
            // An array that is not in registers lies in local memory, which is the device's own.
            Assert.DoesNotContain(".local", ptx);
        }
        finally
        {
            File.Delete(output);
        }
    }
}
