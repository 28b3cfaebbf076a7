namespace Serving.Devices;

/// <summary>Memory and random weights on a device, for what is measured rather than asked.</summary>
/// <param name="device">The device.</param>
sealed class DrawnTensors(IDevice device) : IDisposable
{
    readonly List<nint> _blocks = [];
    // Devices may read weights where they lie.
    readonly List<Array> _weights = [];

    /// <summary>Memory that lives as long as this.</summary>
    public nint Take(long bytes)
    {
        var block = device.Allocate(bytes);
        _blocks.Add(block);
        return block;
    }

    /// <summary>Vectors [rows x heads x width].</summary>
    public Tensor Vectors(int rows, int heads, int width)
    {
        var tensor = Tensor.Matrix(Take((long)rows * heads * width * sizeof(float)), rows, heads * width);
        device.Write(Drawn(rows * heads * width), tensor);
        return tensor.Split(heads);
    }

    /// <summary>A matrix, or a stack of some.</summary>
    public unsafe Matrix Weights(int stack, int outputs, int inputs)
    {
        var values = GC.AllocateUninitializedArray<float>(stack * outputs * inputs, pinned: true);
        Drawn(values.Length).CopyTo(values, 0);
        _weights.Add(values);
        fixed (float* data = values)
            return device.Load(new("drawn", StoredType.F32, stack == 1 ? [outputs, inputs] : [stack, outputs, inputs], (nint)data));
    }

    /// <summary>A matrix of bfloat16.</summary>
    public unsafe Matrix Halves(int outputs, int inputs)
    {
        var values = GC.AllocateUninitializedArray<ushort>(outputs * inputs, pinned: true);
        foreach (var (i, value) in Drawn(values.Length).Index()) values[i] = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
        _weights.Add(values);
        fixed (ushort* data = values) return device.Load(new("drawn", StoredType.BF16, [outputs, inputs], (nint)data));
    }

    /// <summary>Gives the memory back; weights are the device's.</summary>
    public void Dispose()
    {
        foreach (var block in _blocks) device.Free(block);
    }

    static float[] Drawn(int count)
    {
        var random = new Random(count);
        var values = new float[count];
        foreach (ref var value in values.AsSpan()) value = random.NextSingle() - 0.5f;
        return values;
    }
}
