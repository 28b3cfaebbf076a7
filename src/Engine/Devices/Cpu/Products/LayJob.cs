using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Lays rows out as [row block][block][row][32] and sums each block of a row; one part is a range of a segment's blocks.</summary>
unsafe struct LayJob : IJob
{
    public Segment* Segments;
    public nint* Sources;
    public float* X, Sums;
    public int Blocks;

    /// <summary>Parts of a segment.</summary>
    public int PartsOfSegment;

    /// <summary>How a row is cut into vectors.</summary>
    public Tensor Source;

    /// <summary>True when the one row already lies right.</summary>
    public bool Direct;

    public bool NeedsSums;

    public readonly void Run(int part, int worker)
    {
        var segment = Segments[part / PartsOfSegment];
        var slice = part % PartsOfSegment;
        var (from, to) = (Blocks * slice / PartsOfSegment, Blocks * (slice + 1) / PartsOfSegment);
        var count = RowBlocks.Count(segment.Rows);
        for (var i = 0; i < count; i++)
        {
            var start = RowBlocks.Start(segment.Rows, count, i);
            var rows = RowBlocks.Start(segment.Rows, count, i + 1) - start;
            for (var row = 0; row < rows; row++) Lay(segment.First + start, rows, row, from, to);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    readonly void Lay(int first, int rows, int row, int from, int to)
    {
        var source = (float*)Sources[first + row];
        var sums = Sums + (long)first * Blocks + row + (long)from * rows;
        if (Direct)
        {
            for (var block = from; block < to && NeedsSums; block++) Sums[(long)first * Blocks + block] = Sum(source + block * PanelSize.Block);
            return;
        }
        var x = X + ((long)first * Blocks + row + (long)from * rows) * PanelSize.Block;
        for (var block = from; block < to; block++, x += rows * PanelSize.Block, sums += rows)
        {
            if (Source.IsPacked() && (block + 1) * PanelSize.Block <= Source.Columns)
            {
                Vector512.Load(source + block * PanelSize.Block).Store(x);
                Vector512.Load(source + block * PanelSize.Block + 16).Store(x + 16);
            }
            else
            {
                for (var i = 0; i < PanelSize.Block; i++) x[i] = RowValues.At(Source, source, block * PanelSize.Block + i);
            }
            if (NeedsSums) *sums = Sum(x);
        }
    }

    static float Sum(float* block) => Lanes.Sum(Vector512.Load(block) + Vector512.Load(block + 16));
}

/// <summary>Values of a row whose vectors may lie apart.</summary>
static unsafe class RowValues
{
    /// <summary>A value of the row at <paramref name="row"/>; zero behind its end.</summary>
    public static float At(in Tensor tensor, float* row, int column) =>
        column < tensor.Columns ? row[column / tensor.Width * (long)tensor.HeadStride + column % tensor.Width] : 0;
}
