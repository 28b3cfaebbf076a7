using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using V = System.Runtime.Intrinsics.Vector512<uint>;

namespace Serving.Devices.Cpu;

/// <summary>Turns sixteen rows of sixteen 32-bit values into columns; needs AVX-512, and moves bits only.</summary>
static unsafe class Transpose
{
    /// <summary>columns[c * 16 + r] = value c at <paramref name="offset"/> bytes behind the start of row r.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Columns(nint* rows, int offset, uint* columns)
    {
        // Four rows at a time become, in each 128-bit quarter q, column 4q + j of the four rows.
        Quarter(rows, offset, out var a0, out var a1, out var a2, out var a3);
        Quarter(rows + 4, offset, out var b0, out var b1, out var b2, out var b3);
        Quarter(rows + 8, offset, out var c0, out var c1, out var c2, out var c3);
        Quarter(rows + 12, offset, out var d0, out var d1, out var d2, out var d3);
        Gather(a0, b0, c0, d0, columns);
        Gather(a1, b1, c1, d1, columns + 16);
        Gather(a2, b2, c2, d2, columns + 32);
        Gather(a3, b3, c3, d3, columns + 48);
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

    // Quarter q of the four vectors makes column 4q (+ j, by where it is stored).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Gather(V a, V b, V c, V d, uint* columns)
    {
        var (ab, cd) = (Avx512F.Shuffle4x128(a, b, 0x44), Avx512F.Shuffle4x128(c, d, 0x44));
        var (ef, gh) = (Avx512F.Shuffle4x128(a, b, 0xee), Avx512F.Shuffle4x128(c, d, 0xee));
        Avx512F.Shuffle4x128(ab, cd, 0x88).Store(columns);
        Avx512F.Shuffle4x128(ab, cd, 0xdd).Store(columns + 64);
        Avx512F.Shuffle4x128(ef, gh, 0x88).Store(columns + 128);
        Avx512F.Shuffle4x128(ef, gh, 0xdd).Store(columns + 192);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V Load(nint address) => Vector512.Load((uint*)address);
}
