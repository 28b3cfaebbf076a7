using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Cached rows in their pages, [group][row][width].</summary>
static unsafe class PageRows
{
    /// <summary>The first value of a group's row in a page.</summary>
    public static byte* At(in PagedRows stream, int page, int group, int row) =>
        (byte*)stream.Address + page * stream.PageBytes + ((long)group * stream.RowsPerPage + row) * RowBytes(stream);

    /// <summary>Bytes of one row of a group.</summary>
    public static long RowBytes(in PagedRows stream) =>
        (long)stream.Width * (stream.Type == CacheType.Float32 ? sizeof(float) : sizeof(ushort));

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
                    Store(source.At(row, group), At(stream, table[page], group, place), stream.Width, stream.Type);
            }
        }
    }

    static void Store(float* source, byte* destination, int width, CacheType type)
    {
        if (type == CacheType.Float32)
        {
            new ReadOnlySpan<float>(source, width).CopyTo(new Span<float>(destination, width));
            return;
        }
        var target = (ushort*)destination;
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count)
        {
            var bits = Vector512.Load((uint*)source + i);
            var odd = Vector512.ShiftRightLogical(bits, 16) & Vector512<uint>.One;
            var rounded = Vector512.ShiftRightLogical(bits + Vector512.Create(0x7fffu) + odd, 16);
            // The sum of a number and its rounding may not be taken of what is no number: its upper half, made quiet, stands for it.
            var quiet = Vector512.ShiftRightLogical(bits, 16) | Vector512.Create(0x40u);
            var kept = Vector512.ConditionalSelect(Vector512.Equals(bits.AsSingle(), bits.AsSingle()).AsUInt32(), rounded, quiet);
            Vector256.Narrow(kept.GetLower(), kept.GetUpper()).Store(target + i);
        }
        for (; i < width; i++) target[i] = BFloat16.Round(source[i]);
    }
}
