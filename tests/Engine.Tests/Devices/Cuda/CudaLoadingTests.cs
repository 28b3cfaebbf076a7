using Serving.Devices;
using Serving.Devices.Cuda;

namespace Serving.Tests;

/// <summary>Weights go from the mapped file to the device through a bounded ring of pinned memory, whatever their size.</summary>
public sealed class CudaLoadingTests
{
    const long Ring = 4 << 20;

    [Theory, InlineData(3000, 1024), InlineData(1, 32), InlineData(1025, 512)]
    public void A_matrix_of_any_size_arrives_whole_through_a_bounded_ring(int outputs, int inputs)
    {
        using var driver = new EmulatedDriver();
        using var device = new CudaDevice(driver.Options);
        using var memory = new HostMemory();
        var random = new Random(outputs);
        float[] values = [.. Enumerable.Range(0, outputs * inputs).Select(_ => random.NextSingle())];
        var source = memory.Allocate((long)outputs * inputs * sizeof(float));
        unsafe
        {
            values.CopyTo(new Span<float>((void*)source, values.Length));
        }

        var matrix = device.Load(new("w", StoredType.F32, [outputs, inputs], source));
        unsafe
        {
            // The file may be unmapped as soon as it is loaded.
            new Span<float>((void*)source, values.Length).Fill(float.NaN);
        }
        var read = new float[values.Length];
        device.Read(Tensor.Matrix(CudaMatrix.Own(matrix).Weights.Address, outputs, inputs), read);
        Assert.Equal(values, read);
        Assert.Equal((0, Ring), (driver.Figure("pageable copies"), driver.Figure("most pinned bytes")));
        Assert.InRange(driver.Figure("largest copy"), 1, Ring / 2);
    }

    [Fact]
    public void What_the_device_refuses_in_the_middle_of_a_matrix_is_an_error_of_the_call()
    {
        using var driver = new EmulatedDriver();
        using var device = new CudaDevice(driver.Options);
        using var memory = new HostMemory();
        driver.Fail("cuMemcpyHtoDAsync_v2", 719, spared: 2);
        var error = Assert.Throws<CudaException>(() => device.Load(new("w", StoredType.F32, [3000, 1024], memory.Allocate(3000 * 1024 * sizeof(float)))));
        Assert.Contains("cuMemcpyHtoDAsync_v2 failed with status 719", error.Message);
        Assert.True(error.IsLost);
    }
}
