using Serving.Devices;
using Serving.Devices.Cuda;

namespace Serving.Tests;

/// <summary>NVIDIA's own compiler takes every source of kernels; it needs no GPU.</summary>
public sealed class CudaCompilerTests
{
    [Theory, InlineData("sm_80"), InlineData("sm_90")]
    public void Every_source_compiles_for_the_devices_that_are_served(string architecture)
    {
        var compiler = Nvrtc.Load(CudaOptions.FromEnvironment().Compiler);
        Assert.SkipWhen(compiler is null, "There is no NVRTC (libnvrtc.so.12; SERVING_CUDA_COMPILER may name it).");
        foreach (var source in KernelImages.Names)
        {
            var image = KernelImages.Compile(compiler!, source, architecture);
            Assert.Equal("\u007fELF"u8.ToArray(), image[..4]);
            TestContext.Current.TestOutputHelper?.WriteLine($"{source}: {image.Length} bytes for {architecture} by NVRTC {compiler!.Version}");
        }
    }
}
