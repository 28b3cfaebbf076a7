using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Q6_K: each block has nibbles, two words of 16 bit pairs and two byte scales a lane; eight blocks share a factor.</summary>
unsafe struct Q6KPanel : IPanel
{
    const int Block = 512 + 256 + 64, Super = 8 * Block + 64;

    Vector512<uint> _first, _second, _firstHigh, _secondHigh;

    public static int PerWord => 8;

    public static int Groups => 2;

    public static bool HasScale => true;

    public static long BytesOf(int blocks) => blocks / 8 * (long)Super;

    public static byte* At(byte* panel, int block) => panel + block / 8 * (long)Super + block % 8 * Block;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second)
    {
        Halves.Load(panel + block / 8 * (long)Super + 8 * Block, out first, out second);
        var (low, high) = Vector256.Widen(Vector256.Load((sbyte*)At(panel, block) + 768 + group * 32));
        first *= Vector512.ConvertToSingle(Vector512.Create(Vector256.WidenLower(low), Vector256.WidenUpper(low)));
        second *= Vector512.ConvertToSingle(Vector512.Create(Vector256.WidenLower(high), Vector256.WidenUpper(high)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var super = 0; super < inputs / 256; super++, row += 210)
        {
            var at = panel + super * (long)Super;
            ((ushort*)(at + 8 * Block))[lane] = *(ushort*)(row + 208);
            for (var block = 0; block < 8; block++, at += Block)
            {
                // Each half of 128 values takes 64 bytes of nibbles and 32 bytes of bit pairs; a quarter of it is a block.
                var (half, quarter) = (block / 4, block % 4);
                Nibbles.PackBytes(row + half * 64 + quarter % 2 * 32, quarter / 2 * 4, (uint*)at + lane);
                PackPairs(row + 128 + half * 32, quarter * 2, (uint*)(at + 512) + lane);
                (at[768 + lane], at[800 + lane]) = (row[192 + block * 2], row[193 + block * 2]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Open(byte* words, int group)
    {
        var at = (uint*)(words + 512 + group * 128);
        (_firstHigh, _secondHigh) = (Vector512.Load(at), Vector512.Load(at + 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word) => Nibbles.Load(words + word * 128, out _first, out _second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next(out Vector512<float> first, out Vector512<float> second)
    {
        first = Nibbles.TakeSix(ref _first, ref _firstHigh);
        second = Nibbles.TakeSix(ref _second, ref _secondHigh);
    }

    static void PackPairs(byte* source, int shift, uint* lane)
    {
        for (var group = 0; group < 2; group++)
        {
            var pairs = 0u;
            for (var i = 0; i < 16; i++) pairs |= (uint)(source[group * 16 + i] >> shift & 3) << 2 * i;
            lane[group * 32] = pairs;
        }
    }
}
