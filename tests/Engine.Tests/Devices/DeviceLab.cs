using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Serving.Devices;

namespace Serving.Tests;

/// <summary>
/// Draws operands on a device: the same ones for the same seed, whatever the device. Loose tensors lie at odd addresses with gaps of NaN
/// between their vectors, so that a kernel that reads or writes past a vector is caught.
/// </summary>
public sealed class DeviceLab(IDevice device, int seed, bool loose) : IDisposable
{
    readonly HostMemory _stored = new();
    readonly List<nint> _blocks = [];
    readonly List<(Tensor Backing, Tensor View)> _windows = [];

    public IDevice Device => device;

    public Random Random { get; } = new(seed);

    /// <summary>The sum of absolute terms behind each result, or an upper bound of it; null when results are about as large as 1.</summary>
    public float[]? Sizes { get; set; }

    public float[] Values(int count, float size = 1) => Draw(Random, count, size);

    public Tensor Draw(int rows, int heads, int width, float size = 1) => Put(Values(rows * heads * width, size), rows, heads, width);

    /// <summary>Rows whose content is a function of their ids alone.</summary>
    public Tensor DrawRows(ReadOnlySpan<int> ids, int heads, int width, int salt = 0)
    {
        var values = new List<float>();
        foreach (var id in ids) values.AddRange(Draw(new Random(id * 31 + salt * 7919 + 5), heads * width, 1));
        return Put([.. values], ids.Length, heads, width);
    }

    public Tensor Put(float[] values, int rows, int heads, int width)
    {
        var view = Blank(rows, heads, width);
        device.Write(values, view);
        return view;
    }

    /// <summary>A tensor of NaN.</summary>
    public Tensor Blank(int rows, int heads, int width)
    {
        var gap = loose ? 3 : 0;
        var headStride = heads > 1 ? width + gap : width;
        var rowStride = heads * headStride + 2 * gap;
        var backing = Tensor.Matrix(Allocate((long)rows * rowStride * sizeof(float)), rows, rowStride);
        device.Write(Enumerable.Repeat(float.NaN, rows * rowStride).ToArray(), backing);
        var view = new Tensor(backing.Address + gap * sizeof(float), rows, heads, width, rowStride, headStride);
        _windows.Add((backing, view));
        return view;
    }

    public nint Allocate(long bytes)
    {
        var block = device.Allocate(bytes);
        _blocks.Add(block);
        return block;
    }

    public float[] Read(Tensor tensor)
    {
        var values = new float[tensor.Rows * tensor.Columns];
        device.Read(tensor, values);
        return values;
    }

    /// <summary>Expert choices; ids travel as the bits of floats.</summary>
    public RoutedExperts Routed(int[] ids, float[] weights, int chosen)
    {
        var routed = BlankRoutes(ids.Length / chosen, chosen);
        device.Write(MemoryMarshal.Cast<int, float>(ids), Tensor.Matrix(routed.Experts, ids.Length / chosen, chosen));
        device.Write(weights, routed.Weights);
        return routed;
    }

    public RoutedExperts BlankRoutes(int rows, int chosen) =>
        new(Allocate(rows * chosen * sizeof(int)), Tensor.Matrix(Allocate(rows * chosen * sizeof(float)), rows, chosen));

    public int[] ReadIds(RoutedExperts routed) =>
        MemoryMarshal.Cast<float, int>(Read(Tensor.Matrix(routed.Experts, routed.Weights.Rows, routed.Weights.Width))).ToArray();

    /// <summary>A stored tensor of random blocks with scales of about a hundredth.</summary>
    public unsafe StoredTensor Stored(StoredType type, params int[] shape)
    {
        var bytes = type.BytesOf(shape[^1]) * shape[..^1].Aggregate(1, (product, size) => product * size);
        var tensor = new StoredTensor("drawn", type, [.. shape], _stored.Allocate(bytes));
        var memory = new Span<byte>((void*)tensor.Data, (int)bytes);
        for (; !memory.IsEmpty; memory = memory[type.BlockBytes()..]) FillBlock(type, memory[..type.BlockBytes()]);
        return tensor;
    }

    /// <summary>Every gap still holds the NaN that was put there.</summary>
    public void CheckGaps()
    {
        foreach (var (backing, view) in _windows.Where(window => window.Backing.Width != window.View.Columns))
        {
            var values = Read(backing);
            var offset = (int)(view.Address - backing.Address) / sizeof(float);
            for (var i = 0; i < values.Length; i++)
            {
                var at = i % backing.Width - offset;
                var inside = at >= 0 && at / view.HeadStride < view.Heads && at % view.HeadStride < view.Width;
                Assert.True(inside || float.IsNaN(values[i]), $"A value was written {at} values into a row of {view}.");
            }
        }
    }

    public void Dispose()
    {
        foreach (var block in _blocks) device.Free(block);
        _stored.Dispose();
    }

    static float[] Draw(Random random, int count, float size)
    {
        var values = new float[count];
        for (var i = 0; i < count; i++) values[i] = (float)(random.NextDouble() * 2 - 1) * size;
        return values;
    }

    void FillBlock(StoredType type, Span<byte> block)
    {
        var value = (float)(Random.NextDouble() * 2 - 1);
        if (type == StoredType.F32) BinaryPrimitives.WriteSingleLittleEndian(block, value);
        else if (type == StoredType.F16) BinaryPrimitives.WriteHalfLittleEndian(block, (Half)value);
        else if (type == StoredType.BF16) BinaryPrimitives.WriteUInt16LittleEndian(block, BFloat16.Round(value));
        else if (type == StoredType.MxFp4)
        {
            Random.NextBytes(block);
            block[0] = (byte)Random.Next(115, 122);
        }
        else if (type == StoredType.F8)
        {
            Random.NextBytes(block);
            foreach (ref var bits in block)
                if ((bits & 127) == 127) bits = 0;
            BinaryPrimitives.WriteSingleLittleEndian(block, value * 0.001f);
        }
        else
        {
            Random.NextBytes(block);
            var hasMinimum = type is StoredType.Q4_1 or StoredType.Q5_1 or StoredType.Q4K or StoredType.Q5K;
            BinaryPrimitives.WriteHalfLittleEndian(type == StoredType.Q6K ? block[^2..] : block, (Half)(value * 0.01f));
            if (hasMinimum) BinaryPrimitives.WriteHalfLittleEndian(block[2..], (Half)(float)(Random.NextDouble() * 0.02 - 0.01));
        }
    }
}
