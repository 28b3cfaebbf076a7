using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices.Cpu;

/// <summary>Q8_0: eight words of four signed bytes a lane, the earliest input highest, then half-precision scales.</summary>
unsafe struct Q8Panel : IPanel
{
    const int Bytes = 1024 + 64;

    Vector512<int> _first, _second;

    public static int PerWord => 4;

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
            for (var word = 0; word < 8; word++)
                ((uint*)at)[word * 32 + lane] = BinaryPrimitives.ReverseEndianness(*(uint*)(row + 2 + word * 4));
        }
    }

    public readonly void Open(byte* words, int group) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word)
    {
        var at = words + word * 128;
        if (Sse.IsSupported) Prefetch.Two(at);
        (_first, _second) = (Vector512.Load((int*)at), Vector512.Load((int*)at + 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next(out Vector512<float> first, out Vector512<float> second)
    {
        first = Vector512.ConvertToSingle(Vector512.ShiftRightArithmetic(_first, 24));
        second = Vector512.ConvertToSingle(Vector512.ShiftRightArithmetic(_second, 24));
        (_first, _second) = (Vector512.ShiftLeft(_first, 8), Vector512.ShiftLeft(_second, 8));
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
