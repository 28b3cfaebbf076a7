using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Rows that meet one matrix of a stack.</summary>
struct Segment
{
    /// <summary>The matrix.</summary>
    public int Matrix;

    /// <summary>The first row, among all rows of the product.</summary>
    public int First;

    /// <summary>Rows.</summary>
    public int Rows;
}

/// <summary>A product as its workers see it: segments of rows, each against a matrix of a stack.</summary>
unsafe struct Product
{
    public Segment* Segments;
    public byte* Panels;
    public long PanelBytes;
    public int PanelsOfMatrix, PanelsOfPart, PartsOfSegment, Blocks, Outputs;

    /// <summary>Inputs: those of segment s begin at First * Blocks * 32 and lie as [row block][block][row][32].</summary>
    public float* X;

    /// <summary>Sums of the inputs, [row block][block][row].</summary>
    public float* Sums;

    /// <summary>Where each row's results go.</summary>
    public nint* Results;

    /// <summary>Values added to each result, one row for each matrix of the stack; may be empty.</summary>
    public Tensor Bias;

    /// <summary>How a row of results is cut into vectors.</summary>
    public Tensor Destination;

    public byte* Scratch;
    public long ScratchOfWorker;

    /// <summary>Writes the totals [rows x 32] of a panel to where they belong.</summary>
    public readonly void Finish(Segment segment, int output, float* totals)
    {
        var count = Math.Min(PanelSize.Outputs, Outputs - output);
        var bias = Bias.IsEmpty ? null : Bias.At(segment.Matrix);
        var plain = bias is null && count == PanelSize.Outputs && Destination.IsPacked();
        for (var row = 0; row < segment.Rows; row++, totals += PanelSize.Outputs)
        {
            var result = (float*)Results[segment.First + row];
            if (plain)
            {
                Vector512.Load(totals).Store(result + output);
                Vector512.Load(totals + 16).Store(result + output + 16);
                continue;
            }
            for (var i = 0; i < count; i++)
                result[Place(Destination, output + i)] = bias is null
                    ? totals[i]
                    : totals[i] + bias[Place(Bias, output + i)];
        }
    }

    static long Place(in Tensor row, int column) => column / row.Width * (long)row.HeadStride + column % row.Width;
}

/// <summary>One part is a range of panels against all rows of a segment.</summary>
unsafe struct ProductJob<TPanel> : IJob where TPanel : struct, IPanel
{
    // Widening pays from this many rows on; below, every pass widens in registers.
    const int WideRows = 4;

    // Blocks widened at once: 16 KiB of values stay in the first cache.
    const int WideBlocks = 4;

    public Product Product;

    /// <summary>Bytes of totals and of widened blocks.</summary>
    public static long ScratchBytes(int rows) => rows * 128L + WidePanel<TPanel>.BytesOf(WideBlocks);

    public readonly void Run(int part, int worker)
    {
        var segment = Product.Segments[part / Product.PartsOfSegment];
        var first = part % Product.PartsOfSegment * Product.PanelsOfPart;
        var last = Math.Min(first + Product.PanelsOfPart, Product.PanelsOfMatrix);
        var totals = (float*)(Product.Scratch + worker * Product.ScratchOfWorker);
        for (var panel = first; panel < last; panel++)
        {
            var at = Product.Panels + ((long)segment.Matrix * Product.PanelsOfMatrix + panel) * Product.PanelBytes;
            new Span<float>(totals, segment.Rows * PanelSize.Outputs).Clear();
            if (segment.Rows <= WideRows || typeof(TPanel) == typeof(F32Panel)) Pass<TPanel>(segment, at, 0, Product.Blocks, totals, 0);
            else Widened(segment, at, totals);
            Product.Finish(segment, panel * PanelSize.Outputs, totals);
        }
    }

    readonly void Widened(Segment segment, byte* panel, float* totals)
    {
        var wide = (byte*)(totals + segment.Rows * PanelSize.Outputs);
        for (var block = 0; block < Product.Blocks; block += WideBlocks)
        {
            var count = Math.Min(WideBlocks, Product.Blocks - block);
            WidePanel<TPanel>.Widen(panel, block, count, wide);
            Pass<WidePanel<TPanel>>(segment, wide, 0, count, totals, block);
        }
    }

    readonly void Pass<TRead>(Segment segment, byte* panel, int first, int blocks, float* totals, int from) where TRead : struct, IPanel
    {
        var count = RowBlocks.Count(segment.Rows);
        for (var i = 0; i < count; i++)
        {
            var start = RowBlocks.Start(segment.Rows, count, i);
            var rows = RowBlocks.Start(segment.Rows, count, i + 1) - start;
            var x = Product.X + ((long)(segment.First + start) * Product.Blocks + (long)from * rows) * PanelSize.Block;
            var sums = Product.Sums + (long)(segment.First + start) * Product.Blocks + from * rows;
            PanelKernel.Run<TRead>(rows, x, sums, panel, first, blocks, totals + start * PanelSize.Outputs);
        }
    }
}

/// <summary>How rows are cut into blocks that the kernel's registers hold, as evenly as can be: 12 of 512 bits, fewer of narrower ones.</summary>
static class RowBlocks
{
    /// <summary>Most rows that the kernels take at once.</summary>
    public static readonly int Most = Kernels.Here switch { KernelClass.Avx512 => PanelSize.Rows, KernelClass.Avx2 => 2, _ => 1 };

    /// <summary>Blocks of as many rows.</summary>
    public static int Count(int rows) => (rows + Most - 1) / Most;

    /// <summary>The first row of a block.</summary>
    public static int Start(int rows, int blocks, int block) => (int)((long)rows * block / blocks);
}
