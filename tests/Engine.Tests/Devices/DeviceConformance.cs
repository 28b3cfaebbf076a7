using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Tests;

/// <summary>
/// What every device owes: each operation agrees with the reference on packed and on loose operands, and a row's result is the same
/// to the last bit alone, in a batch of any size, at any index and with any number of threads.
/// </summary>
/// <param name="create">Makes the device with a number of threads.</param>
public abstract class DeviceConformance(Func<int, IDevice> create) : IDisposable
{
    protected const string LongRun = "This case takes long on this device; tests/run --all runs it.";

    const int Seed = 20260;

    readonly ReferenceDevice _oracle = new();
    readonly Dictionary<int, IDevice> _devices = [];

    public static int[] RowCounts { get; } = [1, 2, 3, 5, 8, 13, 32, 70];

    protected IDevice Device(int threads = 2)
    {
        if (!_devices.TryGetValue(threads, out var device)) _devices.Add(threads, device = create(threads));
        return device;
    }

    /// <summary>A body, given one device's operands, returns the results that both devices must agree on.</summary>
    protected void Agrees(string what, Func<DeviceLab, float[]> body, double tolerance = 1e-5)
    {
        foreach (var loose in new[] { false, true })
        {
            using var reference = new DeviceLab(_oracle, Seed, loose);
            using var lab = new DeviceLab(Device(), Seed, loose);
            var (expected, actual) = (body(reference), body(lab));
            reference.CheckGaps();
            lab.CheckGaps();
            Near($"{what}{(loose ? ", loose" : "")}", expected, actual, reference.Sizes, tolerance);
        }
    }

    /// <summary>A body returns the results of the rows of the given ids, in order.</summary>
    protected void RowsStandAlone(string what, Func<DeviceLab, int[], float[]> body)
    {
        int[] all = [.. Enumerable.Range(0, RowCounts.Max())];
        var expected = On(1, all);
        var width = expected.Length / all.Length;
        Assert.True(width > 0);
        for (var i = 0; i < RowCounts.Length; i++)
            foreach (var threads in new[] { 1 + i % 3, 1 + (i + 1) % 3 })
            {
                var count = RowCounts[i];
                int[] ids = [.. all];
                new Random(count).Shuffle(ids);
                ids = ids[..count];
                var actual = On(threads, ids);
                for (var row = 0; row < count; row++)
                    SameBits($"{what}: row {ids[row]} at index {row} of {count}, {threads} threads",
                        expected.AsSpan(ids[row] * width, width), actual.AsSpan(row * width, width));
            }

        float[] On(int threads, int[] ids)
        {
            using var lab = new DeviceLab(Device(threads), Seed, loose: false);
            return body(lab, ids);
        }
    }

    protected static void SameBits(string what, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"{what}: value {i} is {actual[i]:R}, not {expected[i]:R}.");
    }

    protected static void Near(string what, float[] expected, float[] actual, float[]? sizes, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            var size = sizes is null ? Math.Max(1, Math.Abs(expected[i])) : sizes[i];
            if (!(Math.Abs((double)expected[i] - actual[i]) <= tolerance * size + 1e-6))
                Assert.Fail($"{what}: value {i} of {expected.Length} is {actual[i]:R}, not {expected[i]:R}; its terms sum to {size:R}.");
        }
    }

    public void Dispose()
    {
        foreach (var device in _devices.Values) device.Dispose();
        _oracle.Dispose();
        GC.SuppressFinalize(this);
    }
}
