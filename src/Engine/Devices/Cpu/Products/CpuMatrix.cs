namespace Serving.Devices.Cpu;

/// <summary>A matrix, or a stack of them, as panels of 32 outputs: the stored bytes in the order in which the product kernel reads them.</summary>
sealed class CpuMatrix : Matrix, IDisposable
{
    /// <summary>Takes the memory of a matrix; its panels are zero.</summary>
    public CpuMatrix(StoredType type, int stack, int outputs, int inputs) : base(stack, outputs, inputs)
    {
        Format = PanelFormat.Of(type);
        Blocks = PanelSize.Blocks(inputs);
        Panels = (outputs + PanelSize.Outputs - 1) / PanelSize.Outputs;
        PanelBytes = Format.PanelBytes(Blocks);
        Address = SystemMemory.Take(Bytes);
    }

    /// <summary>What can be done with it.</summary>
    public PanelFormat Format { get; }

    /// <summary>Blocks of 32 inputs in a row.</summary>
    public int Blocks { get; }

    /// <summary>Panels of one matrix.</summary>
    public int Panels { get; }

    /// <summary>Bytes from one panel to the next.</summary>
    public long PanelBytes { get; }

    /// <summary>Address of the first panel.</summary>
    public nint Address { get; private set; }

    // Kernels ask for memory ahead of what they read; asking beyond the end is harmless.
    long Bytes => PanelBytes * Panels * Stack;

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        if (Address != 0) SystemMemory.Give(Address, Bytes);
        Address = 0;
    }
}
