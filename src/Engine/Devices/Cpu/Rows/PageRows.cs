namespace Serving.Devices.Cpu;

/// <summary>Cached rows in their pages, [group][row][width].</summary>
static unsafe class PageRows
{
    /// <summary>The first value of a group's row in a page.</summary>
    public static byte* At(in PagedRows stream, int page, int group, int row) =>
        (byte*)stream.Address + page * stream.PageBytes + ((long)group * stream.RowsPerPage + row) * stream.VectorBytes;

    /// <summary>Stores each row's vectors in its page.</summary>
    public static void Write(Tensor source, PagedRows stream, RowBatch batch, PageBatch pages)
    {
        for (var run = 0; run < batch.Runs; run++)
        {
            var table = pages.Of(run);
            for (var row = batch.RunStarts[run]; row < batch.RunStarts[run + 1]; row++)
            {
                var (page, place) = Math.DivRem(batch.Positions[row], stream.RowsPerPage);
                for (var group = 0; group < stream.Groups; group++)
                    RowWriting.Store(source.At(row, group), At(stream, table[page], group, place), stream.Width, stream.Format);
            }
        }
    }
}
