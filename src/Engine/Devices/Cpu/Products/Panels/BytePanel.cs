using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices.Cpu;

/// <summary>Q8_0: a block is 32 bytes for each of 32 inputs, then 32 half-precision scales.</summary>
unsafe struct Q8Panel : IPanel
{
    const int Bytes = 1024 + 64;

    Vector512<int> _first, _second;

    public static int PerWord => 1;

    public static bool HasScale => true;

    public static long BytesOf(int blocks) => (long)blocks * Bytes;

    public static byte* At(byte* panel, int block) => panel + (long)block * Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second) =>
        Halves.Load(At(panel, block) + 1024, out first, out second);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var block = 0; block < inputs / 32; block++, row += 34)
        {
            var at = At(panel, block);
            ((ushort*)(at + 1024))[lane] = *(ushort*)row;
            for (var i = 0; i < 32; i++) at[i * 32 + lane] = row[2 + i];
        }
    }

    public readonly void Open(byte* words, int group) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word)
    {
        var at = words + word * 32;
        if (Sse.IsSupported) Sse.Prefetch1(at + PanelSize.Ahead);
        (_first, _second) = (Widen(at), Widen(at + 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Next(out Vector512<float> first, out Vector512<float> second) =>
        (first, second) = (Vector512.ConvertToSingle(_first), Vector512.ConvertToSingle(_second));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<int> Widen(byte* at)
    {
        var bytes = Vector128.Load((sbyte*)at);
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector512Int32(bytes);
        var (low, high) = Vector128.Widen(bytes);
        return Vector512.Create(
            Vector256.Create(Vector128.WidenLower(low), Vector128.WidenUpper(low)),
            Vector256.Create(Vector128.WidenLower(high), Vector128.WidenUpper(high)));
    }
}

/// <summary>The half-precision scales of a panel's outputs.</summary>
static unsafe class Halves
{
    /// <summary>32 of them, widened.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* at, out Vector512<float> first, out Vector512<float> second)
    {
        first = Lanes.FromHalf(Lanes.Load16(at));
        second = Lanes.FromHalf(Lanes.Load16(at + 32));
    }
}
