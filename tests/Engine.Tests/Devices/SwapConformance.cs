using Serving.Devices;

namespace Serving.Tests;

/// <summary>Pages between the device and host memory that is kept for them.</summary>
public abstract class SwapConformance(Func<IDevice> create)
{
    const int Pages = 7, PageBytes = 192, HostPages = 5;

    [Fact]
    public void Pages_come_back_to_the_last_bit_wherever_they_lay_in_between()
    {
        using var device = create();
        // 3 rows of 2 vectors of 7 bfloat16 values: a page has bytes behind its rows, which are nobody's.
        PagedRows stream = new(device.Allocate(Pages * PageBytes), PageBytes, 3, 2, 7, CacheType.BFloat16);
        var host = stream with { Address = device.AllocateHost(HostPages * PageBytes) };
        var memory = Tensor.Matrix(stream.Address, Pages, PageBytes / sizeof(float));
        var before = Draw(1);
        device.Write(before, memory);

        device.SwapPages(Swap.Out, stream, host, [2, 3, 6], [0, 1, 4]);
        device.SwapPages(Swap.Out, stream, host, [0], [3]);
        device.Write(Draw(2), memory);
        device.SwapPages(Swap.In, stream, host, [0, 1, 4, 3], [5, 0, 1, 2]);
        var after = new float[before.Length];
        device.Read(memory, after);
        foreach (var (was, page) in ((int, int)[])[(2, 5), (3, 0), (6, 1), (0, 2)]) Assert.Equal(Rows(before, was), Rows(after, page));
        foreach (var page in (int[])[3, 4, 6]) Assert.Equal(Rows(Draw(2), page), Rows(after, page));
        device.FreeHost(host.Address);
        device.Free(stream.Address);
    }

    [Fact]
    public void What_does_not_fit_together_is_refused()
    {
        using var device = create();
        PagedRows stream = new(device.Allocate(Pages * PageBytes), PageBytes, 3, 2, 7, CacheType.BFloat16);
        var host = stream with { Address = device.AllocateHost(HostPages * PageBytes) };
        Assert.Throws<ArgumentException>(() => device.SwapPages(Swap.Out, stream, host, [1, 2], [0]));
        Assert.Throws<ArgumentException>(() => device.SwapPages(Swap.Out, stream, host with { Width = 8 }, [1], [0]));
        Assert.Throws<ArgumentException>(() => device.FreeHost(host.Address + 64));
    }

    // Any bits, those of NaN included, since bytes are copied and not values.
    static float[] Draw(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, Pages * PageBytes / sizeof(float)).Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)))];
    }

    static int[] Rows(float[] memory, int page) =>
        [.. memory.Skip(page * PageBytes / sizeof(float)).Take(3 * 2 * 7 * sizeof(ushort) / sizeof(float)).Select(BitConverter.SingleToInt32Bits)];
}
