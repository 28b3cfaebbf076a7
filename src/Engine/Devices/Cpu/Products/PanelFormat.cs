namespace Serving.Devices.Cpu;

/// <summary>What can be done with matrices of one stored type; the only place where a type is told at run time.</summary>
abstract unsafe class PanelFormat
{
    static readonly PanelFormat[] All =
    [
        new PanelFormat<F32Panel>(), new PanelFormat<F16Panel>(), new PanelFormat<BF16Panel>(), new PanelFormat<Q8Panel>(),
        new PanelFormat<Q4Panel>(), new PanelFormat<Q4MinPanel>(), new PanelFormat<Q5Panel>(), new PanelFormat<Q5MinPanel>(),
        new PanelFormat<Q4KPanel>(), new PanelFormat<Q5KPanel>(), new PanelFormat<Q6KPanel>(),
        new PanelFormat<MxFp4Panel>(), new PanelFormat<F8Panel>(),
    ];

    /// <summary>The format of a stored type.</summary>
    public static PanelFormat Of(StoredType type) => All[(int)type];

    /// <summary>True when products need the sums of their inputs.</summary>
    public abstract bool NeedsSums { get; }

    /// <summary>Bytes of a panel of as many blocks of inputs.</summary>
    public abstract long PanelBytes(int blocks);

    /// <summary>Scratch that a worker needs for products of at most as many rows.</summary>
    public abstract long ScratchBytes(int rows);

    /// <summary>Packs all rows of a stored matrix or stack into zeroed panels.</summary>
    public abstract void Pack(WorkerTeam team, StoredTensor source, CpuMatrix matrix);

    /// <summary>Runs a product, on the caller alone where a team would not pay.</summary>
    public abstract void Multiply(WorkerTeam team, ref Product product, int parts, bool alone);

    /// <summary>Lays all outputs of a matrix or stack out as rows that meet panels: floats [panel][row block][block][row][32].</summary>
    public abstract void Lay(WorkerTeam team, CpuMatrix matrix, float* rows);

    /// <summary>values = the row of one lane; <paramref name="wide"/> has room for a widened block.</summary>
    public abstract void Unpack(byte* panel, int lane, int inputs, byte* wide, float* values);
}

/// <summary>The format of the panels <typeparamref name="TPanel"/>.</summary>
sealed unsafe class PanelFormat<TPanel> : PanelFormat where TPanel : struct, IPanel
{
    public override bool NeedsSums => TPanel.HasMinimum;

    public override long PanelBytes(int blocks) => TPanel.BytesOf(blocks);

    public override long ScratchBytes(int rows) => ProductJob<TPanel>.ScratchBytes(rows);

    public override void Pack(WorkerTeam team, StoredTensor source, CpuMatrix matrix)
    {
        var job = new PackJob<TPanel>
        {
            Source = (byte*)source.Data, RowBytes = source.RowBytes, ChunkBytes = source.Type.BytesOf(256),
            Panels = (byte*)matrix.Address, PanelBytes = matrix.PanelBytes,
            Outputs = matrix.Outputs, Inputs = matrix.Inputs, PanelsOfMatrix = matrix.Panels,
        };
        team.Run(ref job, matrix.Panels * matrix.Stack);
    }

    public override void Lay(WorkerTeam team, CpuMatrix matrix, float* rows)
    {
        var job = new LayPanelJob<TPanel>
        {
            Panels = (byte*)matrix.Address, PanelBytes = matrix.PanelBytes, Blocks = matrix.Blocks, Outputs = matrix.Outputs, PanelsOfMatrix = matrix.Panels,
            Rows = rows,
        };
        team.Run(ref job, matrix.Panels * matrix.Stack);
    }

    public override void Multiply(WorkerTeam team, ref Product product, int parts, bool alone)
    {
        var job = new ProductJob<TPanel> { Product = product };
        team.Run(ref job, parts, alone);
    }

    public override void Unpack(byte* panel, int lane, int inputs, byte* wide, float* values)
    {
        var block = stackalloc float[PanelSize.Block];
        for (var i = 0; i < inputs; i += PanelSize.Block)
        {
            WidePanel<TPanel>.Widen(panel, i / PanelSize.Block, 1, wide);
            WidePanel<TPanel>.Pick(wide, lane, block);
            new ReadOnlySpan<float>(block, Math.Min(PanelSize.Block, inputs - i)).CopyTo(new Span<float>(values + i, inputs - i));
        }
    }
}

/// <summary>Packs one panel a part, 256 inputs of all lanes at a time, so that what is written stays in the first cache.</summary>
unsafe struct PackJob<TPanel> : IJob where TPanel : struct, IPanel
{
    const int Chunk = 256;

    public byte* Source, Panels;
    public long RowBytes, ChunkBytes, PanelBytes;
    public int Outputs, Inputs, PanelsOfMatrix;

    public readonly void Run(int part, int worker)
    {
        var first = part % PanelsOfMatrix * PanelSize.Outputs;
        var rows = Source + ((long)(part / PanelsOfMatrix) * Outputs + first) * RowBytes;
        var lanes = Math.Min(PanelSize.Outputs, Outputs - first);
        for (var input = 0; input < Inputs; input += Chunk, rows += ChunkBytes)
        {
            var panel = TPanel.At(Panels + part * PanelBytes, input / PanelSize.Block);
            for (var lane = 0; lane < lanes; lane++) TPanel.Pack(rows + lane * RowBytes, Math.Min(Chunk, Inputs - input), panel, lane);
        }
    }
}

/// <summary>Lays the outputs of one panel a part.</summary>
unsafe struct LayPanelJob<TPanel> : IJob where TPanel : struct, IPanel
{
    public byte* Panels;
    public long PanelBytes;
    public int Blocks, Outputs, PanelsOfMatrix;
    public float* Rows;

    public readonly void Run(int part, int worker)
    {
        var wide = stackalloc byte[(int)WidePanel<TPanel>.BytesOf(1)];
        var lanes = Math.Min(PanelSize.Outputs, Outputs - part % PanelsOfMatrix * PanelSize.Outputs);
        var rows = Rows + (long)part * PanelSize.Outputs * Blocks * PanelSize.Block;
        var parts = RowBlocks.Count(lanes);
        for (var block = 0; block < Blocks; block++)
        {
            WidePanel<TPanel>.Widen(Panels + part * PanelBytes, block, 1, wide);
            for (var i = 0; i < parts; i++)
            {
                var start = RowBlocks.Start(lanes, parts, i);
                var count = RowBlocks.Start(lanes, parts, i + 1) - start;
                for (var row = 0; row < count; row++)
                    WidePanel<TPanel>.Pick(wide, start + row, rows + ((long)start * Blocks + block * count + row) * PanelSize.Block);
            }
        }
    }
}
