using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Tests;

public sealed class DeviceTrialTests
{
    [Theory, InlineData(ActivationType.Float32), InlineData(ActivationType.BFloat16)]
    public void Devices_pass_it_with_their_roundings(ActivationType activations)
    {
        using var oracle = new ReferenceDevice();
        using var device = new CpuDevice(1, activations);
        Assert.InRange(DeviceTrial.Difference(device, oracle), 1e-12, activations == ActivationType.Float32 ? 0.01 : DeviceTrial.Tolerance / 2);
    }

    [Fact]
    public void A_GPU_passes_it()
    {
        using var oracle = new ReferenceDevice();
        using var device = CudaEmulator.Device();
        Assert.InRange(DeviceTrial.Difference(device, oracle), 0, 0.01);
        Assert.Equal(0, DeviceTrial.WrongChoices(device));
    }
}
