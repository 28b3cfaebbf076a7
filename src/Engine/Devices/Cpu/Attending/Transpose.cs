using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using V = System.Runtime.Intrinsics.Vector512<uint>;

namespace Serving.Devices.Cpu;

/// <summary>What a 32-bit column of cached rows holds.</summary>
unsafe interface IColumns
{
    /// <summary>Widens column <paramref name="index"/> into the lanes of a panel.</summary>
    static abstract void Put(V column, int index, float* panel);
}

/// <summary>A single each.</summary>
readonly unsafe struct FloatColumns : IColumns
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(V column, int index, float* panel) => column.AsSingle().Store(panel + index * PanelSize.Outputs);
}

/// <summary>Two bfloat16 each, the earlier one below.</summary>
readonly unsafe struct BFloat16Columns : IColumns
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(V column, int index, float* panel)
    {
        Vector512.ShiftLeft(column, 16).AsSingle().Store(panel + 2 * index * PanelSize.Outputs);
        (column & Vector512.Create(0xffff0000u)).AsSingle().Store(panel + (2 * index + 1) * PanelSize.Outputs);
    }
}

/// <summary>Turns sixteen rows of sixteen 32-bit columns; needs AVX-512, and moves bits only.</summary>
static unsafe class Transpose
{
    /// <summary>Puts the columns that begin <paramref name="offset"/> bytes behind the start of each row, rows in the lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Columns<TColumns>(nint* rows, int offset, float* panel) where TColumns : struct, IColumns
    {
        // Four rows at a time become, in each 128-bit quarter q, column 4q + j of the four rows.
        Quarter(rows, offset, out var a0, out var a1, out var a2, out var a3);
        Quarter(rows + 4, offset, out var b0, out var b1, out var b2, out var b3);
        Quarter(rows + 8, offset, out var c0, out var c1, out var c2, out var c3);
        Quarter(rows + 12, offset, out var d0, out var d1, out var d2, out var d3);
        Gather<TColumns>(a0, b0, c0, d0, 0, panel);
        Gather<TColumns>(a1, b1, c1, d1, 1, panel);
        Gather<TColumns>(a2, b2, c2, d2, 2, panel);
        Gather<TColumns>(a3, b3, c3, d3, 3, panel);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Quarter(nint* rows, int offset, out V first, out V second, out V third, out V fourth)
    {
        var (x, y) = (Load(rows[0] + offset), Load(rows[1] + offset));
        var (z, w) = (Load(rows[2] + offset), Load(rows[3] + offset));
        var (low, high) = (Avx512F.UnpackLow(x, y).AsUInt64(), Avx512F.UnpackHigh(x, y).AsUInt64());
        var (lower, higher) = (Avx512F.UnpackLow(z, w).AsUInt64(), Avx512F.UnpackHigh(z, w).AsUInt64());
        first = Avx512F.UnpackLow(low, lower).AsUInt32();
        second = Avx512F.UnpackHigh(low, lower).AsUInt32();
        third = Avx512F.UnpackLow(high, higher).AsUInt32();
        fourth = Avx512F.UnpackHigh(high, higher).AsUInt32();
    }

    // Quarter q of the four vectors makes column 4q + j.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Gather<TColumns>(V a, V b, V c, V d, int j, float* panel) where TColumns : struct, IColumns
    {
        var (ab, cd) = (Avx512F.Shuffle4x128(a, b, 0x44), Avx512F.Shuffle4x128(c, d, 0x44));
        var (ef, gh) = (Avx512F.Shuffle4x128(a, b, 0xee), Avx512F.Shuffle4x128(c, d, 0xee));
        TColumns.Put(Avx512F.Shuffle4x128(ab, cd, 0x88), j, panel);
        TColumns.Put(Avx512F.Shuffle4x128(ab, cd, 0xdd), 4 + j, panel);
        TColumns.Put(Avx512F.Shuffle4x128(ef, gh, 0x88), 8 + j, panel);
        TColumns.Put(Avx512F.Shuffle4x128(ef, gh, 0xdd), 12 + j, panel);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V Load(nint address) => Vector512.Load((uint*)address);
}
