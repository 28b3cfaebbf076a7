using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Cached rows of one tile, widened and laid out as panels: keys with rows in the lanes, values with their widths in the lanes.</summary>
static unsafe class TileRows
{
    /// <summary>Where the tile's rows lie; 0 stands for rows that no query sees.</summary>
    public static void Find(in PagedRows stream, AttendUnit unit, int group, int tile, int first, nint* rows)
    {
        for (var i = 0; i < AttendWork.TileRows; i++)
        {
            var position = tile + i;
            var (page, place) = Math.DivRem(position, stream.RowsPerPage);
            rows[i] = position < first || position > unit.Last ? 0 : (nint)PageRows.At(stream, unit.Pages[page], group, place);
        }
    }

    /// <summary>Keys: two panels [padded width x 32 rows], <paramref name="stride"/> floats apart.</summary>
    public static void Keys(nint* rows, CacheType type, int width, float* keys, long stride)
    {
        for (var i = 0; i < AttendWork.TileRows; i++)
        {
            var target = keys + i / PanelSize.Outputs * stride + i % PanelSize.Outputs;
            for (var d = 0; d < PanelSize.Blocks(width) * PanelSize.Block; d++)
                target[d * PanelSize.Outputs] = d < width ? Value(rows[i], type, d) : 0;
        }
    }

    /// <summary>Values: panels [64 rows x 32 widths].</summary>
    public static void Values(nint* rows, CacheType type, int width, float* values)
    {
        for (var i = 0; i < AttendWork.TileRows; i++)
            for (var d = 0; d < PanelSize.Blocks(width) * PanelSize.Block; d++)
                values[(d / PanelSize.Outputs * AttendWork.TileRows + i) * PanelSize.Outputs + d % PanelSize.Outputs] = d < width ? Value(rows[i], type, d) : 0;
    }

    static float Value(nint row, CacheType type, int index) => row == 0 ? 0
        : type == CacheType.Float32 ? ((float*)row)[index]
        : BFloat16.Widen(((ushort*)row)[index]);
}
