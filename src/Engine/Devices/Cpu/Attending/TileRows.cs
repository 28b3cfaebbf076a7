using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices.Cpu;

/// <summary>Cached rows of one tile, widened to panels: keys with rows in the lanes, values with their widths in the lanes.</summary>
static unsafe class TileRows
{
    /// <summary>Where the first <paramref name="count"/> rows of a tile lie; rows that no query sees lie at <paramref name="absent"/>, which holds zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Find(in PagedRows stream, in AttendUnit unit, int group, int tile, int first, int count, nint absent, nint* rows)
    {
        var bytes = (nint)PageRows.RowBytes(stream);
        var (page, place) = Math.DivRem(Math.Max(tile, first), stream.RowsPerPage);
        nint at = 0;
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

    /// <summary>Keys: panels [padded width x 32 rows], <paramref name="stride"/> floats apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Keys(nint* rows, int count, CacheType type, int width, float* keys, long stride)
    {
        for (var i = 0; i < count; i += Lanes.Count)
        {
            var target = keys + i / PanelSize.Outputs * stride + i % PanelSize.Outputs;
            var d = Avx512F.IsSupported ? TurnColumns(rows + i, type, width, target) : 0;
            for (; d < PanelSize.Blocks(width) * PanelSize.Block; d++)
                for (var lane = 0; lane < Lanes.Count; lane++)
                    target[d * PanelSize.Outputs + lane] = d < width ? Value(rows[i + lane], type, d) : 0;
        }
    }

    /// <summary>Values: panels [64 rows x 32 widths].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Values(nint* rows, int count, CacheType type, int width, float* values)
    {
        for (var i = 0; i < count; i++)
        {
            var target = values + i * PanelSize.Outputs;
            for (var d = 0; d < width; d += PanelSize.Outputs, target += AttendWork.TileRows * PanelSize.Outputs)
            {
                if (d + PanelSize.Outputs <= width)
                {
                    Load(rows[i], type, d).Store(target);
                    Load(rows[i], type, d + 16).Store(target + 16);
                }
                else
                {
                    for (var lane = 0; lane < PanelSize.Outputs; lane++)
                        target[lane] = d + lane < width ? Value(rows[i], type, d + lane) : 0;
                }
            }
        }
    }

    // Sixteen 32-bit columns at a time: sixteen singles, or sixteen pairs of bfloat16. Returns how many values of a row it took.
    static int TurnColumns(nint* rows, CacheType type, int width, float* panel)
    {
        var d = 0;
        if (type == CacheType.Float32)
            for (; d + Lanes.Count <= width; d += Lanes.Count)
                Transpose.Columns<FloatColumns>(rows, d * sizeof(float), panel + d * PanelSize.Outputs);
        else
            for (; d + 2 * Lanes.Count <= width; d += 2 * Lanes.Count)
                Transpose.Columns<BFloat16Columns>(rows, d * sizeof(ushort), panel + d * PanelSize.Outputs);
        return d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Load(nint row, CacheType type, int index) => type == CacheType.Float32
        ? Vector512.Load((float*)row + index)
        : Vector512.ShiftLeft(Lanes.Load16((byte*)((ushort*)row + index)), 16).AsSingle();

    static float Value(nint row, CacheType type, int index) => type == CacheType.Float32
        ? ((float*)row)[index]
        : BFloat16.Widen(((ushort*)row)[index]);
}
