using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using V = System.Runtime.Intrinsics.Vector512<float>;

namespace Serving.Devices.Cpu;

/// <summary>How the values of cached rows are stored, as kernels widen them in registers: along a row, or down sixteen rows.</summary>
unsafe interface IRowCode
{
    /// <summary>Values in 32 bits of a row.</summary>
    static abstract int PerColumn { get; }

    /// <summary>Whether values have scales.</summary>
    static virtual bool HasScales => true;

    /// <summary>Sixteen neighbouring values of a row, before their scale; <paramref name="index"/> is a multiple of sixteen.</summary>
    static abstract V Load(byte* row, int index);

    /// <summary>Widens 32-bit column <paramref name="index"/> of sixteen rows into the lanes of a panel, times the scale of each row.</summary>
    static abstract void Put(Vector512<uint> column, int index, V scales, float* panel);

    /// <summary>Scales from their stored bits, sign-extended to the lanes.</summary>
    static virtual V Scales(Vector512<int> bits) => Vector512.ShiftLeft(bits, 16).AsSingle();
}

/// <summary>Singles.</summary>
readonly unsafe struct FloatRows : IRowCode
{
    public static int PerColumn => 1;

    public static bool HasScales => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(byte* row, int index) => Vector512.Load((float*)row + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(Vector512<uint> column, int index, V scales, float* panel) =>
        column.AsSingle().Store(panel + index * PanelSize.Outputs);
}

/// <summary>The upper halves of singles.</summary>
readonly unsafe struct BFloat16Rows : IRowCode
{
    public static int PerColumn => 2;

    public static bool HasScales => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(byte* row, int index) => Vector512.ShiftLeft(Lanes.Load16(row + index * sizeof(ushort)), 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(Vector512<uint> column, int index, V scales, float* panel)
    {
        Vector512.ShiftLeft(column, 16).AsSingle().Store(panel + 2 * index * PanelSize.Outputs);
        (column & Vector512.Create(0xffff0000u)).AsSingle().Store(panel + (2 * index + 1) * PanelSize.Outputs);
    }
}

/// <summary>e4m3: sign and the other seven bits move to their places in a single, and 2^120 mends the bias.</summary>
readonly unsafe struct Float8Rows : IRowCode
{
    public static int PerColumn => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(byte* row, int index) => Widen(Vector512.ShiftLeft(Lanes.Load8(row + index), 24).AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(Vector512<uint> column, int index, V scales, float* panel)
    {
        panel += 4 * index * PanelSize.Outputs;
        (Widen(Vector512.ShiftLeft(column, 24)) * scales).Store(panel);
        (Widen(Vector512.ShiftLeft(column, 16)) * scales).Store(panel + PanelSize.Outputs);
        (Widen(Vector512.ShiftLeft(column, 8)) * scales).Store(panel + 2 * PanelSize.Outputs);
        (Widen(column) * scales).Store(panel + 3 * PanelSize.Outputs);
    }

    // The code is the highest byte of a lane.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V Widen(Vector512<uint> code)
    {
        var size = Vector512.ShiftRightLogical(code & Vector512.Create(0x7f000000u), 4);
        return (size | code & Vector512.Create(0x80000000u)).AsSingle() * 1.329227995784916e36f;
    }
}

/// <summary>Whole numbers of eight bits.</summary>
readonly unsafe struct Int8Rows : IRowCode
{
    public static int PerColumn => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(byte* row, int index) => Vector512.ConvertToSingle(Lanes.Load8(row + index));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(Vector512<uint> column, int index, V scales, float* panel)
    {
        panel += 4 * index * PanelSize.Outputs;
        var bytes = column.AsInt32();
        (Widen(Vector512.ShiftLeft(bytes, 24)) * scales).Store(panel);
        (Widen(Vector512.ShiftLeft(bytes, 16)) * scales).Store(panel + PanelSize.Outputs);
        (Widen(Vector512.ShiftLeft(bytes, 8)) * scales).Store(panel + 2 * PanelSize.Outputs);
        (Widen(bytes) * scales).Store(panel + 3 * PanelSize.Outputs);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V Widen(Vector512<int> bytes) => Vector512.ConvertToSingle(Vector512.ShiftRightArithmetic(bytes, 24));
}

/// <summary>Whole numbers of four bits, the earlier one of a byte below.</summary>
readonly unsafe struct Int4Rows : IRowCode
{
    public static int PerColumn => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(byte* row, int index)
    {
        // Each of two words stands in every second lane; eight shifts part it into its numbers, which then go to their places.
        var pair = Vector512.Create(*(ulong*)(row + index / 2)).AsUInt32();
        var parted = Avx512F.IsSupported
            ? Avx512F.ShiftLeftLogicalVariable(pair, Vector512.Create(28u, 28, 24, 24, 20, 20, 16, 16, 12, 12, 8, 8, 4, 4, 0, 0))
            : pair * Vector512.Create(1u << 28, 1 << 28, 1 << 24, 1 << 24, 1 << 20, 1 << 20, 1 << 16, 1 << 16, 1 << 12, 1 << 12, 1 << 8, 1 << 8, 1 << 4, 1 << 4, 1, 1);
        return Vector512.Shuffle(Widen(parted), Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(Vector512<uint> column, int index, V scales, float* panel)
    {
        panel += 8 * index * PanelSize.Outputs;
        (Widen(Vector512.ShiftLeft(column, 28)) * scales).Store(panel);
        (Widen(Vector512.ShiftLeft(column, 24)) * scales).Store(panel + PanelSize.Outputs);
        (Widen(Vector512.ShiftLeft(column, 20)) * scales).Store(panel + 2 * PanelSize.Outputs);
        (Widen(Vector512.ShiftLeft(column, 16)) * scales).Store(panel + 3 * PanelSize.Outputs);
        (Widen(Vector512.ShiftLeft(column, 12)) * scales).Store(panel + 4 * PanelSize.Outputs);
        (Widen(Vector512.ShiftLeft(column, 8)) * scales).Store(panel + 5 * PanelSize.Outputs);
        (Widen(Vector512.ShiftLeft(column, 4)) * scales).Store(panel + 6 * PanelSize.Outputs);
        (Widen(column) * scales).Store(panel + 7 * PanelSize.Outputs);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Scales(Vector512<int> bits) => Lanes.FromHalf(bits);

    // The number is the highest half byte of a lane.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V Widen(Vector512<uint> number) => Vector512.ConvertToSingle(Vector512.ShiftRightArithmetic(number.AsInt32(), 28));
}
