using Serving.Devices;

namespace Serving.Tests;

/// <summary>
/// What a GPU reaches: its own limits, then products and attention beside them, over random rows and weights. It runs where SERVING_TEST_GPU
/// numbers a GPU, prints what docs/gpu.md has predictions for, and judges nothing but that it can be measured.
/// </summary>
public sealed class CudaBenches
{
    static readonly Lazy<int> Ordinal = new(() =>
    {
        var ordinal = Environment.GetEnvironmentVariable("SERVING_TEST_GPU");
        Assert.SkipWhen(string.IsNullOrEmpty(ordinal), "No GPU is numbered (SERVING_TEST_GPU).");
        return int.Parse(ordinal!);
    });

    static ITestOutputHelper? Told => TestContext.Current.TestOutputHelper;

    // On a device without room for the sizes that predictions are about, such as the emulated one, a bench only shows that it runs.
    static bool IsSmall(CudaDevice device) => device.FreeBytes < 8L << 30;

    [Fact]
    public void Kernels_beside_the_limits_of_the_device()
    {
        using var device = new CudaDevice(CudaOptions.FromEnvironment(Ordinal.Value));
        var (ceiling, small) = (device.Measure(), IsSmall(device));
        Told?.WriteLine($"{device.Description}: reads {ceiling.ReadBytesPerSecond / 1e9:F0} GB/s, multiplies {ceiling.FlopsPerSecond / 1e12:F2} TFLOP/s in float32");
        var costs = KernelMeter.Measure(device, small ? 256 : 4096, small ? [1] : [1, 16, 64, 512], small ? 64 : 8192, small ? 1 : 9, cost => Told?.WriteLine(
            $"{cost.Kind,-12}{cost.Name,-64}{cost.Rows,5} rows{cost.Seconds * 1e6,12:F1} us{cost.BytesPerSecond / 1e9,9:F0} GB/s{cost.OperationsPerSecond / 1e12,9:F2} TFLOP/s"));
        Assert.All(costs, cost => Assert.True(cost.Seconds > 0 && double.IsFinite(cost.BytesPerSecond), $"{cost}"));
    }

    [Theory, InlineData(16), InlineData(64)]
    public void Attention_of_a_layer_over_many_cached_tokens(int sequences)
    {
        using var device = new CudaDevice(CudaOptions.FromEnvironment(Ordinal.Value));
        var small = IsSmall(device);
        foreach (var type in small ? (CacheType[])[CacheType.BFloat16] : [CacheType.BFloat16, CacheType.Fp8])
            foreach (var cost in AttendMeter.Measure(device, small ? 2 : sequences, small ? 70 : 8192, small ? 1 : 15, type))
            {
                Told?.WriteLine($"{cost.Kind,-52}{type,-10}{sequences,4} x 8192{cost.Seconds * 1e6,12:F1} us{cost.Bytes / cost.Seconds / 1e9,9:F0} GB/s");
                Assert.True(cost.Seconds > 0, $"{cost}");
            }
    }
}
