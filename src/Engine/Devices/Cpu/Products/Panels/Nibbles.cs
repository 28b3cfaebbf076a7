using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices.Cpu;

/// <summary>Words of eight nibbles, one word for each of 32 lanes, the earliest input lowest.</summary>
static unsafe class Nibbles
{
    /// <summary>Brings the words of all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* at, out Vector512<uint> first, out Vector512<uint> second)
    {
        if (Sse.IsSupported) Prefetch.Two(at);
        (first, second) = (Vector512.Load((uint*)at), Vector512.Load((uint*)at + 16));
    }

    /// <summary>The lowest nibble less an offset, as a float; the word moves on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Take(ref Vector512<uint> words, int offset)
    {
        var nibbles = words;
        words = Vector512.ShiftRightLogical(words, 4);
        // A look-up reads the lowest four bits only: one instruction for the mask and the conversion.
        if (Avx512F.IsSupported)
            return Avx512F.PermuteVar16x32(Vector512<float>.Indices - Vector512.Create((float)offset), nibbles.AsInt32());
        return Vector512.ConvertToSingle((nibbles & Vector512.Create(15u)).AsInt32() - Vector512.Create(offset));
    }

    /// <summary>What a table of sixteen values holds for the lowest nibble; the word moves on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> TakeFrom(Vector512<float> table, ref Vector512<uint> words)
    {
        var nibbles = words.AsInt32();
        words = Vector512.ShiftRightLogical(words, 4);
        return Avx512F.IsSupported
            ? Avx512F.PermuteVar16x32(table, nibbles)
            : Vector512.Shuffle(table, nibbles & Vector512.Create(15));
    }

    /// <summary>The lowest nibble under the lowest fifth bit, less an offset; both words move on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> TakeFive(ref Vector512<uint> words, ref Vector512<uint> fifths, int offset)
    {
        var fifth = Vector512.ShiftLeft(fifths, 4) & Vector512.Create(16u);
        var value = ((words & Vector512.Create(15u)) | fifth).AsInt32();
        (words, fifths) = (Vector512.ShiftRightLogical(words, 4), Vector512.ShiftRightLogical(fifths, 1));
        return Vector512.ConvertToSingle(offset == 0 ? value : value - Vector512.Create(offset));
    }

    /// <summary>The lowest nibble under the lowest pair of high bits, less 32; both words move on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> TakeSix(ref Vector512<uint> words, ref Vector512<uint> pairs)
    {
        var pair = Vector512.ShiftLeft(pairs, 4) & Vector512.Create(48u);
        var value = ((words & Vector512.Create(15u)) | pair).AsInt32();
        (words, pairs) = (Vector512.ShiftRightLogical(words, 4), Vector512.ShiftRightLogical(pairs, 2));
        return Vector512.ConvertToSingle(value - Vector512.Create(32));
    }

    /// <summary>Packs 32 values whose first 16 are the low nibbles of 16 bytes and whose others are the high ones.</summary>
    public static void PackHalves(byte* source, uint* lane)
    {
        var (low, high) = (*(ulong*)source, *(ulong*)(source + 8));
        (lane[0], lane[32], lane[64], lane[96]) = (Gather(low), Gather(high), Gather(low >> 4), Gather(high >> 4));
    }

    /// <summary>Packs the 32 low (or, shifted by 4, high) nibbles of 32 bytes.</summary>
    public static void PackBytes(byte* source, int shift, uint* lane)
    {
        for (var word = 0; word < 4; word++) lane[word * 32] = Gather(*(ulong*)(source + word * 8) >> shift);
    }

    // The low nibbles of eight bytes, side by side.
    static uint Gather(ulong bytes)
    {
        const ulong Low = 0x0f0f0f0f0f0f0f0f;
        if (Bmi2.X64.IsSupported) return (uint)Bmi2.X64.ParallelBitExtract(bytes, Low);
        bytes &= Low;
        bytes = (bytes | bytes >> 4) & 0x00ff00ff00ff00ff;
        bytes = (bytes | bytes >> 8) & 0x0000ffff0000ffff;
        return (uint)(bytes | bytes >> 16);
    }
}
