namespace Serving.Devices.Cpu;

/// <summary>Cached rows in their pages, [group][row][width].</summary>
static unsafe class PageRows
{
    /// <summary>The first value of a group's row in a page.</summary>
    public static byte* At(in PagedRows stream, int page, int group, int row) =>
        (byte*)stream.Address + page * stream.PageBytes + ((long)group * stream.RowsPerPage + row) * stream.VectorBytes;

    /// <summary>A vector as a row of the step has left it.</summary>
    public static byte* Open(in PagedRows stream, int row, int group) =>
        (byte*)stream.Open + ((long)row * stream.Groups + group) * stream.VectorBytes;

    /// <summary>Stores each row's vectors in its page; where tokens share rows, as each leaves it, and the last of them in the page.</summary>
    public static void Write(Tensor source, PagedRows stream, RowBatch batch, PageBatch pages)
    {
        for (var run = 0; run < batch.Runs; run++)
        {
            var table = pages.Of(run);
            for (var row = batch.RunStarts[run]; row < batch.RunStarts[run + 1]; row++)
            {
                var position = batch.Positions[row];
                if (stream.IsStrided)
                    for (var group = 0; group < stream.Groups; group++)
                        RowWriting.Store(source.At(row, group), Open(stream, row, group), stream.Width, stream.Format);
                if (!stream.Closes(position)) continue;
                var (page, place) = Math.DivRem(position / stream.Stride, stream.RowsPerPage);
                for (var group = 0; group < stream.Groups; group++)
                    RowWriting.Store(source.At(row, group), At(stream, table[page], group, place), stream.Width, stream.Format);
            }
        }
    }
}
