using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices.Cpu;

/// <summary>Cached rows of one tile, widened to panels: keys with rows in the lanes, values with their widths in the lanes.</summary>
static unsafe class TileRows
{
    // Bytes that the memory brings at once.
    const int Line = 64;

    /// <summary>Where the first <paramref name="count"/> rows of a tile lie; rows that no query sees lie at <paramref name="absent"/>, which holds zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Find(in PagedRows stream, in AttendUnit unit, int group, int tile, int first, int count, nint absent, nint* rows)
    {
        var bytes = (nint)stream.VectorBytes;
        var (page, place) = Math.DivRem(Math.Max(tile, first), stream.RowsPerPage);
        nint at = 0;
        if (tile >= first && tile + count - 1 <= unit.Last && place + count <= stream.RowsPerPage)
        {
            at = (nint)PageRows.At(stream, unit.Pages[page], group, place);
            for (var i = 0; i < count; i++, at += bytes) rows[i] = at;
            return;
        }
        for (var i = 0; i < count; i++)
        {
            rows[i] = absent;
            if (tile + i < first || tile + i > unit.Last) continue;
            if (at == 0) at = (nint)PageRows.At(stream, unit.Pages[page], group, place);
            rows[i] = at;
            at += bytes;
            if (++place < stream.RowsPerPage) continue;
            (page, place, at) = (page + 1, 0, 0);
        }
    }

    /// <summary>Asks the memory for the rows of a unit from <paramref name="first"/> to the end of its tile.</summary>
    public static void Prefetch(in PagedRows stream, in AttendUnit unit, int group, int first)
    {
        if (!Sse.IsSupported) return;
        var end = Math.Min(unit.Last + 1, first / AttendWork.TileRows * AttendWork.TileRows + AttendWork.TileRows);
        for (var row = first; row < end;)
        {
            var (page, place) = Math.DivRem(row, stream.RowsPerPage);
            var rows = Math.Min(stream.RowsPerPage - place, end - row);
            var at = PageRows.At(stream, unit.Pages[page], group, place);
            for (var to = at + (long)rows * stream.VectorBytes; at < to; at += Line) Sse.Prefetch1(at);
            row += rows;
        }
    }

    /// <summary>Where the rows lie that the tokens of a unit have left open.</summary>
    public static void FindOpen(in PagedRows stream, in AttendUnit unit, int group, int count, nint absent, nint* rows)
    {
        for (var i = 0; i < count; i++) rows[i] = i < unit.Rows ? (nint)PageRows.Open(stream, unit.Row + i, group) : absent;
    }

    /// <summary>
    /// Keys: panels [padded width x 32 rows], <paramref name="stride"/> floats apart. <paramref name="scales"/> is room for the scales of
    /// sixteen rows, see <see cref="AttendWork.ScaleFloats"/>.
    /// </summary>
    public static void Keys(in PagedRows stream, nint* rows, int count, int width, float* keys, long stride, float* scales)
    {
        switch (stream.Format.Type)
        {
            case CacheType.Float32: Keys<FloatRows>(stream, rows, count, width, keys, stride, scales); break;
            case CacheType.BFloat16: Keys<BFloat16Rows>(stream, rows, count, width, keys, stride, scales); break;
            case CacheType.Fp8: Keys<Float8Rows>(stream, rows, count, width, keys, stride, scales); break;
            case CacheType.Int8: Keys<Int8Rows>(stream, rows, count, width, keys, stride, scales); break;
            default: Keys<Int4Rows>(stream, rows, count, width, keys, stride, scales); break;
        }
    }

    /// <summary>
    /// Values from width <paramref name="first"/>, a multiple of 32, on: panels [64 rows x 32 widths]; <paramref name="scales"/> is room as for keys.
    /// </summary>
    public static void Values(in PagedRows stream, nint* rows, int count, int first, int width, float* values, float* scales)
    {
        switch (stream.Format.Type)
        {
            case CacheType.Float32: Values<FloatRows>(stream, rows, count, first, width, values, scales); break;
            case CacheType.BFloat16: Values<BFloat16Rows>(stream, rows, count, first, width, values, scales); break;
            case CacheType.Fp8: Values<Float8Rows>(stream, rows, count, first, width, values, scales); break;
            case CacheType.Int8: Values<Int8Rows>(stream, rows, count, first, width, values, scales); break;
            default: Values<Int4Rows>(stream, rows, count, first, width, values, scales); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Keys<TCode>(in PagedRows stream, nint* rows, int count, int width, float* keys, long stride, float* scales)
        where TCode : struct, IRowCode
    {
        var turns = Avx512F.IsSupported && RowReading.IsRegular(stream.Format);
        for (var i = 0; i < count; i += Lanes.Count)
        {
            var target = keys + i / PanelSize.Outputs * stride + i % PanelSize.Outputs;
            var d = turns ? Turn<TCode>(stream, rows + i, width, target, scales) : 0;
            for (; d < width; d++)
                for (var lane = 0; lane < Lanes.Count; lane++)
                    target[d * PanelSize.Outputs + lane] = typeof(TCode) == typeof(FloatRows) ? ((float*)rows[i + lane])[d] : RowReading.Value(stream, (byte*)rows[i + lane], d);
            for (; d < PanelSize.Blocks(width) * PanelSize.Block; d++) Vector512<float>.Zero.Store(target + d * PanelSize.Outputs);
        }
    }

    // Sixteen 32-bit columns at a time. Returns how many values of a row it took.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static int Turn<TCode>(in PagedRows stream, nint* rows, int width, float* panel, float* scales) where TCode : struct, IRowCode
    {
        var shift = 0;
        if (TCode.HasScales)
        {
            // Two scales a column: where their number is odd, the column that ends with the first begins before it.
            var count = stream.Format.Scales(stream.Width);
            var odd = count & 1;
            scales += PanelSize.Outputs;
            shift = RowReading.GroupShift(stream.Format);
            Turn<ScaleColumns<TCode>>(
                rows, stream.Format.ValueBytes(stream.Width) - odd * RowFormat.ScaleBytes, (count + odd) / 2, scales - odd * PanelSize.Outputs, null, 0);
        }
        Turn<ValueColumns<TCode>>(rows, 0, width / TCode.PerColumn, panel, scales, shift);
        return width / TCode.PerColumn * TCode.PerColumn;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Turn<TColumns>(nint* rows, int offset, int columns, float* panel, float* scales, int shift) where TColumns : struct, IColumns
    {
        // The last sixteen begin before the end of those that went before, rather than end behind the row.
        for (var first = 0; first < columns; first += Lanes.Count)
            if (columns >= Lanes.Count) Transpose.Columns<TColumns>(rows, offset, Math.Min(first, columns - Lanes.Count), Lanes.Count, panel, scales, shift);
            else Transpose.Columns<TColumns>(rows, offset, 0, columns, panel, scales, shift);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Values<TCode>(in PagedRows stream, nint* rows, int count, int first, int width, float* values, float* scales) where TCode : struct, IRowCode
    {
        var whole = RowReading.IsRegular(stream.Format) ? width / Lanes.Count * Lanes.Count : 0;
        var shift = RowReading.GroupShift(stream.Format);
        // The values behind the last sixteen are loaded with others before them, which are then moved out, or from a copy: behind them the row,
        // or the page, may end.
        var (from, bytes) = (whole * stream.Format.Bits / 8, RowReading.IsRegular(stream.Format) ? ((width - whole) * stream.Format.Bits + 7) / 8 : 0);
        var moves = Avx512F.IsSupported && width >= Lanes.Count && (width - Lanes.Count) * stream.Format.Bits % 8 == 0;
        var places = Vector512<int>.Indices + Vector512.Create(Lanes.Count - width + whole);
        var within = Vector512.LessThan(places, Vector512.Create(Lanes.Count)).AsSingle();
        var tail = stackalloc byte[Lanes.Count * sizeof(float)];
        new Span<byte>(tail, Lanes.Count * sizeof(float)).Clear();
        for (var i = 0; i < count; i++)
        {
            var row = (byte*)rows[i];
            var target = values + i * PanelSize.Outputs;
            if (TCode.HasScales) RowReading.Scales<TCode>(stream, row, scales);
            var d = first;
            for (; d < whole; d += Lanes.Count)
            {
                var loaded = TCode.Load(row, d);
                if (TCode.HasScales) loaded *= scales[d >> shift];
                loaded.Store(Place(target, d));
            }
            if (bytes > 0)
            {
                if (!moves) Unsafe.CopyBlockUnaligned(tail, row + from, (uint)bytes);
                var loaded = moves ? Avx512F.PermuteVar16x32(TCode.Load(row, width - Lanes.Count), places) & within : TCode.Load(tail, 0);
                if (TCode.HasScales) loaded *= scales[d >> shift];
                loaded.Store(Place(target, d));
                d += Lanes.Count;
            }
            for (; d < PanelSize.Blocks(width) * PanelSize.Block; d++)
                *Place(target, d) = d < width ? RowReading.Value(stream, row, d) : 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static float* Place(float* panel, int index) =>
        panel + index / PanelSize.Outputs * AttendWork.TileRows * PanelSize.Outputs + index % PanelSize.Outputs;
}
