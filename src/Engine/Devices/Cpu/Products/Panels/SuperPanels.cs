using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Q4_K: each block has nibbles, byte scales and byte minimums; eight blocks share half-precision factors of both.</summary>
unsafe struct Q4KPanel : IPanel
{
    const int Block = 512 + 64, Super = 8 * Block + 128;

    Vector512<uint> _first, _second;

    public static int PerWord => 8;

    public static bool HasScale => true;

    public static bool HasMinimum => true;

    public static long BytesOf(int blocks) => blocks / 8 * (long)Super;

    public static byte* At(byte* panel, int block) => panel + block / 8 * (long)Super + block % 8 * Block;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second) =>
        SuperScales.Load(panel + block / 8 * (long)Super + 8 * Block, At(panel, block) + 512, out first, out second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Minimum(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second)
    {
        SuperScales.Load(panel + block / 8 * (long)Super + 8 * Block + 64, At(panel, block) + 544, out first, out second);
        (first, second) = (-first, -second);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var super = 0; super < inputs / 256; super++, row += 144)
        {
            var at = panel + super * (long)Super;
            ((ushort*)(at + 8 * Block))[lane] = *(ushort*)row;
            ((ushort*)(at + 8 * Block + 64))[lane] = *(ushort*)(row + 2);
            for (var group = 0; group < 8; group++, at += Block)
            {
                Nibbles.PackBytes(row + 16 + group / 2 * 32, group % 2 * 4, (uint*)at + lane);
                SuperScales.Pack(row + 4, group, at + 512 + lane);
            }
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

/// <summary>Q5_K: as <see cref="Q4KPanel"/>, with a word of 32 fifth bits a lane behind the nibbles.</summary>
unsafe struct Q5KPanel : IPanel
{
    const int Block = 512 + 128 + 64, Super = 8 * Block + 128;

    Vector512<uint> _first, _second, _firstHigh, _secondHigh;

    public static int PerWord => 8;

    public static bool HasScale => true;

    public static bool HasMinimum => true;

    public static long BytesOf(int blocks) => blocks / 8 * (long)Super;

    public static byte* At(byte* panel, int block) => panel + block / 8 * (long)Super + block % 8 * Block;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second) =>
        SuperScales.Load(panel + block / 8 * (long)Super + 8 * Block, At(panel, block) + 640, out first, out second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Minimum(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second)
    {
        SuperScales.Load(panel + block / 8 * (long)Super + 8 * Block + 64, At(panel, block) + 672, out first, out second);
        (first, second) = (-first, -second);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var super = 0; super < inputs / 256; super++, row += 176)
        {
            var at = panel + super * (long)Super;
            ((ushort*)(at + 8 * Block))[lane] = *(ushort*)row;
            ((ushort*)(at + 8 * Block + 64))[lane] = *(ushort*)(row + 2);
            for (var group = 0; group < 8; group++, at += Block)
            {
                Nibbles.PackBytes(row + 48 + group / 2 * 32, group % 2 * 4, (uint*)at + lane);
                // Bit g of byte i is the fifth bit of value i of group g.
                var fifths = Vector256.ShiftLeft(Vector256.Load(row + 16), 7 - group).ExtractMostSignificantBits();
                ((uint*)(at + 512))[lane] = fifths;
                SuperScales.Pack(row + 4, group, at + 640 + lane);
            }
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

/// <summary>Scales of blocks of 256 values: a half-precision factor for all, a byte for each group.</summary>
static unsafe class SuperScales
{
    /// <summary>Factor times byte, for 32 outputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* factors, byte* bytes, out Vector512<float> first, out Vector512<float> second)
    {
        Halves.Load(factors, out first, out second);
        var (low, high) = Vector256.Widen(Vector256.Load(bytes));
        first *= Vector512.ConvertToSingle(Vector512.Create(Vector256.WidenLower(low), Vector256.WidenUpper(low)).AsInt32());
        second *= Vector512.ConvertToSingle(Vector512.Create(Vector256.WidenLower(high), Vector256.WidenUpper(high)).AsInt32());
    }

    /// <summary>Takes the six-bit scale and minimum of a group out of twelve bytes; the minimum goes 32 bytes behind the scale.</summary>
    public static void Pack(byte* packed, int group, byte* scale)
    {
        // The upper two bits of the last four of each lie above the first four.
        (scale[0], scale[32]) = group < 4
            ? ((byte)(packed[group] & 63), (byte)(packed[group + 4] & 63))
            : ((byte)(packed[group + 4] & 15 | packed[group - 4] >> 6 << 4), (byte)(packed[group + 4] >> 4 | packed[group] >> 6 << 4));
    }
}
