using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>
/// Cached rows where they lie, as a panel: its words are the places of rows, whose 32 values from there on are the lanes. For formats
/// without scales; the sums are those of rows that were widened before.
/// </summary>
unsafe struct RowPanel<TCode> : IPanel where TCode : struct, IRowCode
{
    Vector512<float> _first, _second;

    public static int PerWord => 1;

    public static long BytesOf(int blocks) => (long)blocks * PanelSize.Block * sizeof(nint);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* At(byte* panel, int block) => panel + (long)block * PanelSize.Block * sizeof(nint);

    public static void Pack(byte* row, int inputs, byte* panel, int lane) => throw new NotSupportedException("Rows are read where they lie.");

    public readonly void Open(byte* words, int group) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word)
    {
        var row = (byte*)((nint*)words)[word];
        (_first, _second) = (TCode.Load(row, 0), TCode.Load(row, Lanes.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Next(out Vector512<float> first, out Vector512<float> second) => (first, second) = (_first, _second);
}
