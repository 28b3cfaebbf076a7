using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>Rows on their way into pages, and pages onto pages.</summary>
sealed class PageOperations(CudaContext context, StepTables tables)
{
    const int Vectors = 4;
    const int WarpThreads = 32;

    readonly CudaFunction _write = context.Module("pages.cu").Function("write_rows");

    /// <summary>Stores each row's vectors in its page; see <see cref="IDevice.WriteRows"/>.</summary>
    public void Write(Tensor source, PagedRows stream, RowBatch batch, PageBatch pages)
    {
        if (batch.Rows == 0) return;
        var step = tables.Of(batch, pages);
        context.Stream.Launch(_write, new((batch.Rows * stream.Groups + Vectors - 1) / Vectors), Vectors * WarpThreads, new WriteRowsArguments
        {
            Source = source, Stream = new(stream), Positions = step.Positions, Tables = step.Tables, Pages = step.Pages,
        });
    }

    /// <summary>Copies pages one after the other.</summary>
    public void Copy(PagedRows stream, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        var bytes = (long)stream.RowsPerPage * stream.Groups * stream.VectorBytes;
        for (var i = 0; i < from.Length; i++)
            context.Stream.Copy(stream.Address + (nint)(from[i] * stream.PageBytes), stream.Address + (nint)(to[i] * stream.PageBytes), bytes);
    }

    /// <summary>Copies pages between the device and pinned host memory, neighbours on both sides at once; the host does not wait.</summary>
    public void Swap(Swap way, PagedRows stream, PagedRows host, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        for (int i = 0, count; i < from.Length; i += count)
        {
            for (count = 1; i + count < from.Length && from[i + count] == from[i] + count && to[i + count] == to[i] + count;) count++;
            var bytes = count * stream.PageBytes;
            if (way == Devices.Swap.Out) context.Stream.SwapOut(stream.Address + (nint)(from[i] * stream.PageBytes), host.Address + (nint)(to[i] * stream.PageBytes), bytes);
            else context.Stream.SwapIn(host.Address + (nint)(from[i] * stream.PageBytes), stream.Address + (nint)(to[i] * stream.PageBytes), bytes);
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    struct WriteRowsArguments
    {
        public Tensor Source;
        public StreamArguments Stream;
        public nint Positions, Tables, Pages;
    }
}
