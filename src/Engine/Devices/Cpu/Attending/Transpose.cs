using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using V = System.Runtime.Intrinsics.Vector512<uint>;

namespace Serving.Devices.Cpu;

/// <summary>What is done with a 32-bit column of sixteen cached rows.</summary>
unsafe interface IColumns
{
    /// <summary>Puts column <paramref name="index"/> in its place in a panel; the scale of a value is found by its index and a shift.</summary>
    static abstract void Put(V column, int index, float* panel, float* scales, int shift);
}

/// <summary>Values are widened, times the scale of their group in each row.</summary>
readonly unsafe struct ValueColumns<TCode> : IColumns where TCode : struct, IRowCode
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(V column, int index, float* panel, float* scales, int shift) => TCode.Put(
        column, index, TCode.HasScales ? Vector512.Load(scales + (index * TCode.PerColumn >> shift) * PanelSize.Outputs) : default, panel);
}

/// <summary>Scales, two a column.</summary>
readonly unsafe struct ScaleColumns<TCode> : IColumns where TCode : struct, IRowCode
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(V column, int index, float* panel, float* scales, int shift)
    {
        panel += 2 * index * PanelSize.Outputs;
        TCode.Scales(Vector512.ShiftRightArithmetic(Vector512.ShiftLeft(column.AsInt32(), 16), 16)).Store(panel);
        TCode.Scales(Vector512.ShiftRightArithmetic(column.AsInt32(), 16)).Store(panel + PanelSize.Outputs);
    }
}

/// <summary>Turns sixteen rows of sixteen 32-bit columns; needs AVX-512, and moves bits only.</summary>
static unsafe class Transpose
{
    /// <summary>
    /// Puts <paramref name="count"/> columns, at most sixteen, from column <paramref name="first"/> behind the offset in bytes, rows in the
    /// lanes. Nothing behind them is read.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Columns<TColumns>(nint* rows, int offset, int first, int count, float* panel, float* scales, int shift)
        where TColumns : struct, IColumns
    {
        offset += first * sizeof(uint);
        var mask = Vector512.LessThan(V.Indices, Vector512.Create((uint)count));
        // Four rows at a time become, in each 128-bit quarter q, column 4q + j of the four rows.
        Quarter(rows, offset, count, mask, out var a0, out var a1, out var a2, out var a3);
        Quarter(rows + 4, offset, count, mask, out var b0, out var b1, out var b2, out var b3);
        Quarter(rows + 8, offset, count, mask, out var c0, out var c1, out var c2, out var c3);
        Quarter(rows + 12, offset, count, mask, out var d0, out var d1, out var d2, out var d3);
        Gather<TColumns>(a0, b0, c0, d0, 0, first, count, panel, scales, shift);
        Gather<TColumns>(a1, b1, c1, d1, 1, first, count, panel, scales, shift);
        Gather<TColumns>(a2, b2, c2, d2, 2, first, count, panel, scales, shift);
        Gather<TColumns>(a3, b3, c3, d3, 3, first, count, panel, scales, shift);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Quarter(nint* rows, int offset, int count, V mask, out V first, out V second, out V third, out V fourth)
    {
        var (x, y) = (Load(rows[0] + offset, count, mask), Load(rows[1] + offset, count, mask));
        var (z, w) = (Load(rows[2] + offset, count, mask), Load(rows[3] + offset, count, mask));
        var (low, high) = (Avx512F.UnpackLow(x, y).AsUInt64(), Avx512F.UnpackHigh(x, y).AsUInt64());
        var (lower, higher) = (Avx512F.UnpackLow(z, w).AsUInt64(), Avx512F.UnpackHigh(z, w).AsUInt64());
        first = Avx512F.UnpackLow(low, lower).AsUInt32();
        second = Avx512F.UnpackHigh(low, lower).AsUInt32();
        third = Avx512F.UnpackLow(high, higher).AsUInt32();
        fourth = Avx512F.UnpackHigh(high, higher).AsUInt32();
    }

    // Quarter q of the four vectors makes column 4q + j.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Gather<TColumns>(V a, V b, V c, V d, int j, int first, int count, float* panel, float* scales, int shift)
        where TColumns : struct, IColumns
    {
        var (ab, cd) = (Avx512F.Shuffle4x128(a, b, 0x44), Avx512F.Shuffle4x128(c, d, 0x44));
        var (ef, gh) = (Avx512F.Shuffle4x128(a, b, 0xee), Avx512F.Shuffle4x128(c, d, 0xee));
        if (j < count) TColumns.Put(Avx512F.Shuffle4x128(ab, cd, 0x88), first + j, panel, scales, shift);
        if (4 + j < count) TColumns.Put(Avx512F.Shuffle4x128(ab, cd, 0xdd), first + 4 + j, panel, scales, shift);
        if (8 + j < count) TColumns.Put(Avx512F.Shuffle4x128(ef, gh, 0x88), first + 8 + j, panel, scales, shift);
        if (12 + j < count) TColumns.Put(Avx512F.Shuffle4x128(ef, gh, 0xdd), first + 12 + j, panel, scales, shift);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V Load(nint address, int count, V mask) =>
        count == Lanes.Count ? Vector512.Load((uint*)address) : Avx512F.MaskLoad((uint*)address, mask, V.Zero);
}
