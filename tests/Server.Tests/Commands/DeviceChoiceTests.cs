using Serving.Devices;
using Serving.Server;
using Serving.Server.Commands;

namespace Serving.Tests;

public sealed class DeviceChoiceTests
{
    static readonly CudaOptions NoDriver = new() { Driver = "/nowhere/libcuda.so.1" };

    [Theory]
    [InlineData("auto", "auto"), InlineData("CPU", "cpu"), InlineData("cuda", "cuda"), InlineData("cuda:3", "cuda:3"), InlineData("Reference", "reference")]
    [InlineData("cuda:", null), InlineData("cuda:-1", null), InlineData("cuda:x", null), InlineData("gpu", null), InlineData("", null)]
    public void Devices_have_names(string text, string? name) => Assert.Equal(name, DeviceChoice.Named(text));

    [Fact]
    public void Auto_takes_the_CPU_where_there_is_no_driver_and_says_so()
    {
        var choice = DeviceChoice.Of(new() { Device = "auto", Threads = 1 }, NoDriver);
        using var device = choice.Device;
        Assert.IsType<CpuDevice>(device);
        Assert.Contains("/nowhere/libcuda.so.1", choice.Notice);
    }

    [Theory, InlineData("cuInit", 100), InlineData("nvrtcCompileProgram", 6), InlineData("cuModuleLoadDataEx", 209), InlineData("cuMemAlloc_v2", 2), InlineData("cuLaunchKernel", 719)]
    public void Auto_takes_the_CPU_where_the_GPU_fails_and_says_why(string call, int status)
    {
        using var driver = new EmulatedDriver();
        driver.Fail(call, status);
        var choice = DeviceChoice.Of(new() { Device = "auto", Threads = 1 }, driver.Options);
        using var device = choice.Device;
        Assert.IsType<CpuDevice>(device);
        Assert.StartsWith("The CPU serves, no GPU: ", choice.Notice);
        Assert.Contains(call, choice.Notice);
        Assert.Contains($"status {status}", choice.Notice);
    }

    [Fact]
    public void Auto_takes_a_GPU_that_computes_right()
    {
        using var driver = new EmulatedDriver();
        var choice = DeviceChoice.Of(new() { Device = "auto", Threads = 1 }, driver.Options);
        using var device = choice.Device;
        Assert.True(Assert.IsType<CudaDevice>(device).RepeatsSteps);
        Assert.Null(choice.Notice);

        using var eager = DeviceChoice.Of(new() { Device = "auto", Threads = 1, IsEager = true }, driver.Options).Device;
        Assert.False(eager.RepeatsSteps);
    }

    [Theory, InlineData(64), InlineData(32)]
    public async Task Auto_takes_the_CPU_where_a_model_does_not_fit_into_the_GPU(int mebibytes)
    {
        // The second device has 16 MiB: the cache does not fit beforehand, or is refused when it is taken.
        using var driver = new EmulatedDriver();
        if (mebibytes == 64) driver.Fail("cuMemAlloc_v2", 2, spared: 50);
        var options = new ServerOptions
        {
            Model = ModelFixtures.PathOf("hf/qwen3"),
            Engine = new() { Device = "auto", Threads = 1, MaxLength = 64, CacheBytes = (long)mebibytes << 20 },
        };
        await using var model = ModelLoading.Load(options, new(), driver.Options with { Ordinal = mebibytes == 64 ? 0 : 1 });
        Assert.Contains("The CPU serves, no GPU: ", model.Notice);
        Assert.Contains(mebibytes == 64 ? "cuMemAlloc_v2" : "MiB", model.Notice);
        Assert.DoesNotContain("CUDA", model.Device);
    }

    [Theory, InlineData("cuda"), InlineData("cuda:1")]
    public void A_GPU_that_was_asked_for_and_cannot_be_had_is_refused_with_the_reason(string name)
    {
        var error = Assert.Throws<SettingException>(() => DeviceChoice.Of(new() { Device = name }, NoDriver));
        Assert.Contains($"--device {name}", error.Message);
        Assert.Contains("/nowhere/libcuda.so.1", error.Message);
        Assert.Contains("--device cpu", error.Message);
    }

    [Fact]
    public void What_is_not_a_GPU_has_nothing_to_say()
    {
        var choice = DeviceChoice.Of(new() { Device = "cpu", Threads = 1 }, NoDriver);
        using var device = choice.Device;
        Assert.Null(choice.Notice);
    }
}
