namespace Serving.Devices.Cpu;

/// <summary>A matrix, or a stack of them, as panels of 32 outputs: the stored bytes in the product kernel's order.</summary>
sealed class CpuMatrix : Matrix
{
    CpuMatrix[] _sides = [];

    /// <summary>Takes the memory of a matrix; its panels are zero.</summary>
    public CpuMatrix(MatrixMemory memory, StoredType type, int stack, int outputs, int inputs, PairKernel? pairs) : base(stack, outputs, inputs)
    {
        (Format, Pairs) = (PanelFormat.Of(type), pairs);
        Blocks = PanelSize.Blocks(inputs);
        Panels = (outputs + PanelSize.Outputs - 1) / PanelSize.Outputs;
        PanelBytes = Format.PanelBytes(Blocks);
        // Kernels ask for memory ahead of what they read; asking beyond the end is harmless.
        Address = memory.Take(PanelBytes * Panels * Stack);
    }

    CpuMatrix(CpuMatrix whole, int first, int count) : base(1, count * whole.Panels * PanelSize.Outputs, whole.Inputs)
    {
        (Format, Pairs, Blocks, PanelBytes) = (whole.Format, whole.Pairs, whole.Blocks, whole.PanelBytes);
        Panels = count * whole.Panels;
        Address = whole.Address + (nint)(first * whole.Panels * whole.PanelBytes);
    }

    /// <summary>What can be done with it.</summary>
    public PanelFormat Format { get; }

    /// <summary>What multiplies inputs in pairs, rounded; null where inputs stay float32.</summary>
    public PairKernel? Pairs { get; }

    /// <summary>Blocks of 32 inputs in a row.</summary>
    public int Blocks { get; }

    /// <summary>Panels of one matrix.</summary>
    public int Panels { get; }

    /// <summary>Bytes from one panel to the next.</summary>
    public long PanelBytes { get; }

    /// <summary>Address of the first panel.</summary>
    public nint Address { get; }

    /// <summary>
    /// The stack cut into equal parts, each read as one matrix in the same memory: the outputs of its matrices lie side by side, those of
    /// each filled up to whole panels.
    /// </summary>
    public CpuMatrix[] SideBySide(int parts)
    {
        if (_sides.Length != parts) _sides = Cut(parts);
        return _sides;
    }

    CpuMatrix[] Cut(int parts) =>
        [.. Enumerable.Range(0, parts).Select(part => new CpuMatrix(this, part * (Stack / parts), Stack / parts))];
}
