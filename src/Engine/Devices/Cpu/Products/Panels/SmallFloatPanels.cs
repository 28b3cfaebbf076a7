using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices.Cpu;

/// <summary>MXFP4: four words of eight nibbles a lane, then the exponents of 32 scales, a byte each.</summary>
unsafe struct MxFp4Panel : IPanel
{
    const int Bytes = 512 + 32;

    Vector512<uint> _first, _second;

    public static int PerWord => 8;

    public static bool HasScale => true;

    public static long BytesOf(int blocks) => (long)blocks * Bytes;

    public static byte* At(byte* panel, int block) => panel + (long)block * Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second)
    {
        var at = At(panel, block) + 512;
        (first, second) = (PowerOfTwo(SmallFloats.Bytes(at)), PowerOfTwo(SmallFloats.Bytes(at + 16)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var block = 0; block < inputs / 32; block++, row += 17)
        {
            var at = At(panel, block);
            Nibbles.PackHalves(row + 1, (uint*)at + lane);
            at[512 + lane] = *row;
        }
    }

    public readonly void Open(byte* words, int group) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word) => Nibbles.Load(words + word * 128, out _first, out _second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next(out Vector512<float> first, out Vector512<float> second)
    {
        var values = Vector512.Create(0f, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6);
        first = Nibbles.TakeFrom(values, ref _first);
        second = Nibbles.TakeFrom(values, ref _second);
    }

    // The exponent moves to the float's place. 0 stands for 2^-127, a subnormal, and 255 for no number: both take the fraction's upper bit.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> PowerOfTwo(Vector512<int> exponents)
    {
        var ends = Vector512.Equals(exponents, Vector512<int>.Zero) | Vector512.Equals(exponents, Vector512.Create(255));
        return (Vector512.ShiftLeft(exponents, 23) | (ends & Vector512.Create(0x00400000))).AsSingle();
    }
}

/// <summary>E4M3: a block is 32 bytes for each of 32 inputs; four blocks share 32 single-precision scales.</summary>
unsafe struct F8Panel : IPanel
{
    const int Block = 1024, Super = 4 * Block + 128;

    Vector512<float> _first, _second;

    public static int PerWord => 1;

    public static bool HasScale => true;

    public static long BytesOf(int blocks) => blocks / 4 * (long)Super;

    public static byte* At(byte* panel, int block) => panel + block / 4 * (long)Super + block % 4 * Block;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second)
    {
        var at = (float*)(panel + block / 4 * (long)Super + 4 * Block);
        (first, second) = (Vector512.Load(at), Vector512.Load(at + 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(byte* row, int inputs, byte* panel, int lane)
    {
        for (var super = 0; super < inputs / 128; super++, row += 132)
        {
            var at = panel + super * (long)Super;
            ((float*)(at + 4 * Block))[lane] = *(float*)row;
            for (var i = 0; i < 128; i++) at[i * 32 + lane] = row[4 + i];
        }
    }

    public readonly void Open(byte* words, int group) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word)
    {
        var at = words + word * 32;
        if (Sse.IsSupported) Sse.Prefetch1(at + PanelSize.Ahead);
        (_first, _second) = (Widen(SmallFloats.Bytes(at)), Widen(SmallFloats.Bytes(at + 16)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Next(out Vector512<float> first, out Vector512<float> second) => (first, second) = (_first, _second);

    // Exponent and fraction move to the float's places; the factor 2^120 mends the bias and makes subnormals normal.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Widen(Vector512<int> bits)
    {
        var size = bits & Vector512.Create(127);
        var placed = (Vector512.ShiftLeft(size, 20) | Vector512.ShiftLeft(bits & Vector512.Create(128), 24)).AsSingle();
        var none = Vector512.Equals(size, Vector512.Create(127)).AsSingle();
        return Vector512.ConditionalSelect(none, Vector512.Create(float.NaN), placed * 1.329227995784916e36f);
    }
}

/// <summary>Bytes of a panel as lanes.</summary>
static unsafe class SmallFloats
{
    /// <summary>Sixteen bytes, each in a lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Bytes(byte* at)
    {
        var bytes = Vector128.Load(at);
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector512Int32(bytes);
        var (low, high) = Vector128.Widen(bytes);
        return Vector512.Create(
            Vector256.Create(Vector128.WidenLower(low), Vector128.WidenUpper(low)),
            Vector256.Create(Vector128.WidenLower(high), Vector128.WidenUpper(high))).AsInt32();
    }
}
