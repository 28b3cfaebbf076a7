using System.Diagnostics;
using Serving.Devices;

namespace Serving.Tests;

/// <summary>Kernels of narrower classes than this machine's best: the runtime decides at its start, so they run in processes of their own.</summary>
public sealed class KernelClassTests
{
    [Theory]
    [InlineData(KernelClass.Avx2, "DOTNET_EnableAVX512"), InlineData(KernelClass.Portable, "DOTNET_EnableAVX2")]
    public async Task A_narrower_class_agrees_with_the_reference_device(KernelClass kernels, string variable)
    {
        Assert.SkipUnless(Kernels.Here > kernels, $"This process has {Kernels.Name(Kernels.Here)} kernels itself.");
        string[] classes = Fixtures.All ? ["Cpu*"] : ["CpuElements", "CpuProducts"];
        var start = new ProcessStartInfo(Environment.ProcessPath!, ["--no-progress", "--no-ansi", "--filter-class", .. classes.Select(name => $"Serving.Tests.{name}"), "Serving.Tests.KernelClassProbe"])
        {
            RedirectStandardOutput = true, Environment = { [variable] = "0", [KernelClassProbe.Expected] = kernels.ToString() },
        };
        using var process = Process.Start(start)!;
        var said = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, said);
    }

    [Fact]
    public void A_class_that_is_had_needs_nothing_and_one_that_is_not_is_refused_with_what_there_is()
    {
        Kernels.Choose(Kernels.Here);
        var error = Assert.Throws<ArgumentException>(() => Kernels.Choose(Kernels.Here + 1)).Message;
        Assert.Contains("are not to be had: this machine has " + Kernels.Name(Kernels.Here), error);
        Assert.Contains($"{Kernels.Name(Kernels.Here)} kernels", new CpuDevice(1).Description);
    }
}

/// <summary>Says in such a process that the class is the one that was meant.</summary>
public sealed class KernelClassProbe
{
    internal const string Expected = "SERVING_TEST_KERNELS";

    [Fact]
    public void The_process_has_the_class_that_it_was_started_for() =>
        Assert.Equal(Environment.GetEnvironmentVariable(Expected) ?? Kernels.Here.ToString(), Kernels.Here.ToString());
}
