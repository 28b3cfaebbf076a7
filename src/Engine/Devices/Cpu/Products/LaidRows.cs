namespace Serving.Devices.Cpu;

/// <summary>Lays one row's blocks out in the order of a kernel.</summary>
interface IRowLayer
{
    /// <summary>Lays a row out: number <paramref name="row"/> of the <paramref name="rows"/> from <paramref name="first"/> on that are multiplied together.</summary>
    void Lay(int first, int rows, int row);
}

/// <summary>The rows that a product lays out before it multiplies; one part is a range of a segment's rows, as in the operations before.</summary>
unsafe struct LaidRows
{
    public Segment* Segments;
    public nint* Sources;
    public int Blocks;

    /// <summary>Parts of a segment.</summary>
    public int PartsOfSegment;

    /// <summary>How a row is cut into vectors.</summary>
    public Tensor Source;

    /// <summary>Lays a part out.</summary>
    public readonly void Lay<TLayer>(TLayer layer, int part) where TLayer : struct, IRowLayer
    {
        var segment = Segments[part / PartsOfSegment];
        var slice = part % PartsOfSegment;
        var (from, to) = (RowBlocks.Start(segment.Rows, PartsOfSegment, slice), RowBlocks.Start(segment.Rows, PartsOfSegment, slice + 1));
        var count = RowBlocks.Count(segment.Rows);
        for (var i = 0; i < count; i++)
        {
            var (start, end) = (RowBlocks.Start(segment.Rows, count, i), RowBlocks.Start(segment.Rows, count, i + 1));
            for (var row = Math.Max(start, from); row < Math.Min(end, to); row++) layer.Lay(segment.First + start, end - start, row - start);
        }
    }

    /// <summary>True where a block of a row lies whole and without gaps.</summary>
    public readonly bool IsWhole(int block) => Source.IsPacked() && (block + 1) * PanelSize.Block <= Source.Columns;

    /// <summary>Copies a block of a row whose vectors may lie apart; zeros behind the row's end.</summary>
    public readonly void Copy(float* row, int block, float* values)
    {
        for (var i = 0; i < PanelSize.Block; i++)
        {
            var column = block * PanelSize.Block + i;
            values[i] = column < Source.Columns ? row[column / Source.Width * (long)Source.HeadStride + column % Source.Width] : 0;
        }
    }
}
