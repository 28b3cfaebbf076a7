using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Floats as stored vectors, to the bit as <see cref="RowCoding"/> says.</summary>
static unsafe class RowWriting
{
    // Adding 1.5 * 2^23 leaves a whole number, rounded to nearest even, in the lowest bits.
    const float Rounder = 12582912f;

    /// <summary>Stores a vector.</summary>
    public static void Store(float* source, byte* vector, int width, RowFormat format)
    {
        if (format.Type == CacheType.Float32) new ReadOnlySpan<float>(source, width).CopyTo(new Span<float>(vector, width));
        else if (format.Type == CacheType.BFloat16) StoreBFloat16(source, (ushort*)vector, width);
        else if (width % Lanes.Count != 0 || !RowReading.IsRegular(format))
            RowCoding.Encode(format, new(source, width), new(vector, format.VectorBytes(width)));
        else StoreScaled(source, vector, width, format);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void StoreBFloat16(float* source, ushort* target, int width)
    {
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count)
        {
            var bits = Vector512.Load((uint*)source + i);
            var odd = Vector512.ShiftRightLogical(bits, 16) & Vector512<uint>.One;
            var rounded = Vector512.ShiftRightLogical(bits + Vector512.Create(0x7fffu) + odd, 16);
            // The sum of a number and its rounding may not be taken of what is no number: its upper half, made quiet, stands for it.
            var quiet = Vector512.ShiftRightLogical(bits, 16) | Vector512.Create(0x40u);
            var kept = Vector512.ConditionalSelect(Vector512.Equals(bits.AsSingle(), bits.AsSingle()).AsUInt32(), rounded, quiet);
            Vector256.Narrow(kept.GetLower(), kept.GetUpper()).Store(target + i);
        }
        for (; i < width; i++) target[i] = BFloat16.Round(source[i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void StoreScaled(float* source, byte* vector, int width, RowFormat format)
    {
        var scales = (ushort*)(vector + format.ValueBytes(width));
        var group = format.GroupWidth(width);
        for (var first = 0; first < width; first += group, scales++)
        {
            var end = Math.Min(width, first + group);
            var bits = Vector512<int>.Zero;
            for (var i = first; i < end; i += Lanes.Count)
                bits = Vector512.Max(bits, Vector512.Load((int*)source + i) & Vector512.Create(int.MaxValue));
            *scales = RowCoding.ScaleOf(format, Greatest(bits));
            var scale = RowCoding.WidenScale(format, *scales);
            for (var i = first; i < end; i += Lanes.Count)
            {
                var value = scale > 0 ? Vector512.Load(source + i) / Vector512.Create(scale) : Vector512<float>.Zero;
                value = Vector512.Min(Vector512.Max(value, Vector512.Create(-format.Greatest)), Vector512.Create(format.Greatest));
                if (format.Type == CacheType.Fp8) Bytes(Float8Codes(value)).Store(vector + i);
                else if (format.Type == CacheType.Int8) Bytes(Whole(value)).Store(vector + i);
                else *(ulong*)(vector + i / 2) = Nibbles(Bytes(Whole(value)));
            }
        }
    }

    static int Greatest(Vector512<int> bits)
    {
        var half = Vector256.Max(bits.GetLower(), bits.GetUpper());
        var quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        return Math.Max(Math.Max(quarter[0], quarter[1]), Math.Max(quarter[2], quarter[3]));
    }

    static Vector512<int> Whole(Vector512<float> value) =>
        (value + Vector512.Create(Rounder)).AsInt32() - Vector512.Create(BitConverter.SingleToInt32Bits(Rounder));

    // See Float8.Round.
    static Vector512<int> Float8Codes(Vector512<float> value)
    {
        var sign = Vector512.ShiftRightLogical(value.AsInt32(), 24) & Vector512.Create(0x80);
        var size = Vector512.Abs(value);
        var power = Vector512.Max(size.AsInt32() & Vector512.Create(0x7f800000), Vector512.Create(121 << 23));
        var step = (power + Vector512.Create(20 << 23)).AsSingle();
        var rounded = size + step - step;
        var normal = Vector512.ShiftRightLogical(rounded.AsInt32(), 20) - Vector512.Create(120 << 3);
        var small = Vector512.ConvertToInt32(rounded * 512f);
        return sign | Vector512.ConditionalSelect(Vector512.LessThan(rounded, Vector512.Create(1f / 64)).AsInt32(), small, normal);
    }

    static Vector128<byte> Bytes(Vector512<int> numbers)
    {
        var low = numbers.AsUInt32() & Vector512.Create(0xffu);
        var halves = Vector256.Narrow(low.GetLower(), low.GetUpper());
        return Vector128.Narrow(halves.GetLower(), halves.GetUpper());
    }

    static ulong Nibbles(Vector128<byte> bytes)
    {
        var pairs = (bytes & Vector128.Create((byte)15)).AsUInt16();
        var packed = (pairs | Vector128.ShiftRightLogical(pairs, 4)) & Vector128.Create((ushort)0xff);
        return Vector128.Narrow(packed, packed).AsUInt64()[0];
    }
}
