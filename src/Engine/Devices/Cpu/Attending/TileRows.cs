using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices.Cpu;

/// <summary>Cached rows of one tile, widened and laid out as panels: keys with rows in the lanes, values with their widths in the lanes.</summary>
static unsafe class TileRows
{
    /// <summary>Where the tile's rows lie; 0 stands for rows that no query sees.</summary>
    public static void Find(in PagedRows stream, in AttendUnit unit, int group, int tile, int first, nint* rows)
    {
        for (var i = 0; i < AttendWork.TileRows; i++)
        {
            var position = tile + i;
            var (page, place) = Math.DivRem(position, stream.RowsPerPage);
            rows[i] = position < first || position > unit.Last ? 0 : (nint)PageRows.At(stream, unit.Pages[page], group, place);
        }
    }

    /// <summary>Asks for the lines of rows that will be read soon.</summary>
    public static void Ask(nint* rows, int bytes)
    {
        if (!Sse.IsSupported) return;
        for (var i = 0; i < AttendWork.TileRows; i++)
            for (var at = 0; at < bytes && rows[i] != 0; at += 64) Sse.Prefetch1((byte*)rows[i] + at);
    }

    /// <summary>Keys: two panels [padded width x 32 rows], <paramref name="stride"/> floats apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Keys(nint* rows, CacheType type, int width, float* keys, long stride)
    {
        // A step turns sixteen 32-bit columns: sixteen floats, or sixteen pairs of bfloat16.
        var step = type == CacheType.Float32 ? Lanes.Count : 2 * Lanes.Count;
        for (var i = 0; i < AttendWork.TileRows; i += Lanes.Count)
        {
            var target = keys + i / PanelSize.Outputs * stride + i % PanelSize.Outputs;
            var d = 0;
            if (Avx512F.IsSupported && HasAll(rows + i))
                for (; d + step <= width; d += step) Turn(rows + i, type, d, target + d * PanelSize.Outputs);
            for (; d < PanelSize.Blocks(width) * PanelSize.Block; d++)
                for (var lane = 0; lane < Lanes.Count; lane++)
                    target[d * PanelSize.Outputs + lane] = d < width ? Value(rows[i + lane], type, d) : 0;
        }
    }

    /// <summary>Values: panels [64 rows x 32 widths].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Values(nint* rows, CacheType type, int width, float* values)
    {
        for (var i = 0; i < AttendWork.TileRows; i++)
        {
            var target = values + i * PanelSize.Outputs;
            for (var d = 0; d < width; d += PanelSize.Outputs, target += AttendWork.TileRows * PanelSize.Outputs)
            {
                if (rows[i] == 0)
                {
                    Vector512<float>.Zero.Store(target);
                    Vector512<float>.Zero.Store(target + 16);
                }
                else if (d + PanelSize.Outputs <= width)
                {
                    Load(rows[i], type, d).Store(target);
                    Load(rows[i], type, d + 16).Store(target + 16);
                }
                else
                {
                    for (var lane = 0; lane < PanelSize.Outputs; lane++) target[lane] = d + lane < width ? Value(rows[i], type, d + lane) : 0;
                }
            }
        }
    }

    static bool HasAll(nint* rows)
    {
        for (var i = 0; i < Lanes.Count; i++) if (rows[i] == 0) return false;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Turn(nint* rows, CacheType type, int from, float* target)
    {
        var columns = stackalloc uint[Lanes.Count * Lanes.Count];
        var bytes = type == CacheType.Float32 ? from * sizeof(float) : from * sizeof(ushort);
        Transpose.Columns(rows, bytes, columns);
        for (var i = 0; i < Lanes.Count; i++)
        {
            var column = Vector512.Load(columns + i * Lanes.Count);
            if (type == CacheType.Float32)
            {
                column.AsSingle().Store(target + i * PanelSize.Outputs);
                continue;
            }
            Vector512.ShiftLeft(column, 16).AsSingle().Store(target + 2 * i * PanelSize.Outputs);
            (column & Vector512.Create(0xffff0000u)).AsSingle().Store(target + (2 * i + 1) * PanelSize.Outputs);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Load(nint row, CacheType type, int index) => type == CacheType.Float32
        ? Vector512.Load((float*)row + index)
        : Vector512.ShiftLeft(Lanes.Load16((byte*)((ushort*)row + index)), 16).AsSingle();

    static float Value(nint row, CacheType type, int index) => row == 0 ? 0
        : type == CacheType.Float32 ? ((float*)row)[index]
        : BFloat16.Widen(((ushort*)row)[index]);
}
