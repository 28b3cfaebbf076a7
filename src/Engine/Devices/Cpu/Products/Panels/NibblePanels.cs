using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Q4_0: four words of eight nibbles a lane, then half-precision scales.</summary>
unsafe struct Q4Panel : IPanel
{
    const int Bytes = 512 + 64;

    Vector512<uint> _first, _second;

    public static int PerWord => 8;

    public static bool HasScale => true;

    public static long BytesOf(int blocks) => (long)blocks * Bytes;

    public static byte* At(byte* panel, int block) => panel + (long)block * Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second) =>
        Halves.Load(At(panel, block) + 512, out first, out second);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var block = 0; block < inputs / 32; block++, row += 18)
        {
            var at = At(panel, block);
            Nibbles.PackHalves(row + 2, (uint*)at + lane);
            ((ushort*)(at + 512))[lane] = *(ushort*)row;
        }
    }

    public readonly void Open(byte* words, int group) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word) => Nibbles.Load(words + word * 128, out _first, out _second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next(out Vector512<float> first, out Vector512<float> second)
    {
        first = Nibbles.Take(ref _first, 8);
        second = Nibbles.Take(ref _second, 8);
    }
}

/// <summary>Q4_1: four words of eight nibbles a lane, then half-precision scales and minimums.</summary>
unsafe struct Q4MinPanel : IPanel
{
    const int Bytes = 512 + 64 + 64;

    Vector512<uint> _first, _second;

    public static int PerWord => 8;

    public static bool HasScale => true;

    public static bool HasMinimum => true;

    public static long BytesOf(int blocks) => (long)blocks * Bytes;

    public static byte* At(byte* panel, int block) => panel + (long)block * Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second) =>
        Halves.Load(At(panel, block) + 512, out first, out second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Minimum(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second) =>
        Halves.Load(At(panel, block) + 576, out first, out second);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var block = 0; block < inputs / 32; block++, row += 20)
        {
            var at = At(panel, block);
            Nibbles.PackHalves(row + 4, (uint*)at + lane);
            ((ushort*)(at + 512))[lane] = *(ushort*)row;
            ((ushort*)(at + 576))[lane] = *(ushort*)(row + 2);
        }
    }

    public readonly void Open(byte* words, int group) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word) => Nibbles.Load(words + word * 128, out _first, out _second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next(out Vector512<float> first, out Vector512<float> second)
    {
        first = Nibbles.Take(ref _first, 0);
        second = Nibbles.Take(ref _second, 0);
    }
}
