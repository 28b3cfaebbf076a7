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
