using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Q5_0: four words of eight nibbles a lane, a word of 32 fifth bits, then half-precision scales.</summary>
unsafe struct Q5Panel : IPanel
{
    const int Bytes = 512 + 128 + 64;

    Vector512<uint> _first, _second, _firstHigh, _secondHigh;

    public static int PerWord => 8;

    public static bool HasScale => true;

    public static long BytesOf(int blocks) => (long)blocks * Bytes;

    public static byte* At(byte* panel, int block) => panel + (long)block * Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second) =>
        Halves.Load(At(panel, block) + 640, out first, out second);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var block = 0; block < inputs / 32; block++, row += 22)
        {
            var at = At(panel, block);
            Nibbles.PackHalves(row + 6, (uint*)at + lane);
            ((uint*)(at + 512))[lane] = *(uint*)(row + 2);
            ((ushort*)(at + 640))[lane] = *(ushort*)row;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Open(byte* words, int group) =>
        (_firstHigh, _secondHigh) = (Vector512.Load((uint*)(words + 512)), Vector512.Load((uint*)(words + 576)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word) => Nibbles.Load(words + word * 128, out _first, out _second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next(out Vector512<float> first, out Vector512<float> second)
    {
        first = Nibbles.TakeFive(ref _first, ref _firstHigh, 16);
        second = Nibbles.TakeFive(ref _second, ref _secondHigh, 16);
    }
}

/// <summary>Q5_1: four words of eight nibbles a lane, a word of 32 fifth bits, then half-precision scales and minimums.</summary>
unsafe struct Q5MinPanel : IPanel
{
    const int Bytes = 512 + 128 + 64 + 64;

    Vector512<uint> _first, _second, _firstHigh, _secondHigh;

    public static int PerWord => 8;

    public static bool HasScale => true;

    public static bool HasMinimum => true;

    public static long BytesOf(int blocks) => (long)blocks * Bytes;

    public static byte* At(byte* panel, int block) => panel + (long)block * Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second) =>
        Halves.Load(At(panel, block) + 640, out first, out second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Minimum(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second) =>
        Halves.Load(At(panel, block) + 704, out first, out second);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var block = 0; block < inputs / 32; block++, row += 24)
        {
            var at = At(panel, block);
            Nibbles.PackHalves(row + 8, (uint*)at + lane);
            ((uint*)(at + 512))[lane] = *(uint*)(row + 4);
            ((ushort*)(at + 640))[lane] = *(ushort*)row;
            ((ushort*)(at + 704))[lane] = *(ushort*)(row + 2);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Open(byte* words, int group) =>
        (_firstHigh, _secondHigh) = (Vector512.Load((uint*)(words + 512)), Vector512.Load((uint*)(words + 576)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word) => Nibbles.Load(words + word * 128, out _first, out _second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next(out Vector512<float> first, out Vector512<float> second)
    {
        first = Nibbles.TakeFive(ref _first, ref _firstHigh, 0);
        second = Nibbles.TakeFive(ref _second, ref _secondHigh, 0);
    }
}
