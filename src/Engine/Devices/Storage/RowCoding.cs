using System.Buffers.Binary;

namespace Serving.Devices;

/// <summary>
/// Vectors to stored bytes and back, value by value: what every device's kernels must agree with to the last bit. A scale is the greatest
/// size in its group over the greatest stored number, rounded; values are divided by the rounded scale and rounded, ties to even. A group
/// that holds something infinite or no number is read as no numbers.
/// </summary>
public static class RowCoding
{
    const float GreatestHalf = 65504;

    /// <summary>Stores a vector.</summary>
    public static void Encode(RowFormat format, ReadOnlySpan<float> values, Span<byte> stored)
    {
        if (!format.HasScales)
        {
            for (var i = 0; i < values.Length; i++) EncodePlain(format.Type, values[i], stored, i);
            return;
        }
        stored[..format.ValueBytes(values.Length)].Clear();
        var width = format.GroupWidth(values.Length);
        for (var group = 0; group < format.Scales(values.Length); group++)
        {
            var first = group * width;
            var end = Math.Min(values.Length, first + width);
            var bits = ScaleOf(format, GreatestBits(values[first..end]));
            BinaryPrimitives.WriteUInt16LittleEndian(stored[(format.ValueBytes(values.Length) + group * RowFormat.ScaleBytes)..], bits);
            var scale = WidenScale(format, bits);
            for (var i = first; i < end; i++) EncodeScaled(format.Type, scale > 0 ? values[i] / scale : 0, stored, i);
        }
    }

    /// <summary>Value <paramref name="index"/> of a stored vector of <paramref name="width"/> values.</summary>
    public static float Decode(RowFormat format, ReadOnlySpan<byte> stored, int width, int index)
    {
        if (format.Type == CacheType.Float32) return BinaryPrimitives.ReadSingleLittleEndian(stored[(index * sizeof(float))..]);
        if (format.Type == CacheType.BFloat16) return BFloat16.Widen(BinaryPrimitives.ReadUInt16LittleEndian(stored[(index * sizeof(ushort))..]));
        var at = format.ValueBytes(width) + index / format.GroupWidth(width) * RowFormat.ScaleBytes;
        var scale = WidenScale(format, BinaryPrimitives.ReadUInt16LittleEndian(stored[at..]));
        return scale * format.Type switch
        {
            CacheType.Fp8 => Float8.Widen(stored[index]),
            CacheType.Int8 => (sbyte)stored[index],
            _ => (sbyte)(stored[index / 2] << 4 - index % 2 * 4) >> 4,
        };
    }

    /// <summary>The bits of the greatest size among some values, which order as the sizes do: infinity above all numbers, no number above that.</summary>
    public static int GreatestBits(ReadOnlySpan<float> values)
    {
        var greatest = 0;
        foreach (var value in values) greatest = Math.Max(greatest, BitConverter.SingleToInt32Bits(value) & int.MaxValue);
        return greatest;
    }

    /// <summary>The stored scale of a group whose greatest size has these bits.</summary>
    public static ushort ScaleOf(RowFormat format, int greatestBits)
    {
        var scale = greatestBits >= 0x7f800000 ? float.NaN : BitConverter.Int32BitsToSingle(greatestBits) / format.Greatest;
        return format.Type == CacheType.Int4
            ? BitConverter.HalfToUInt16Bits((Half)(scale > GreatestHalf ? GreatestHalf : scale))
            : BFloat16.Round(scale);
    }

    /// <summary>The value of a stored scale.</summary>
    public static float WidenScale(RowFormat format, ushort bits) =>
        format.Type == CacheType.Int4 ? (float)BitConverter.UInt16BitsToHalf(bits) : BFloat16.Widen(bits);

    static void EncodePlain(CacheType type, float value, Span<byte> stored, int index)
    {
        if (type == CacheType.Float32) BinaryPrimitives.WriteSingleLittleEndian(stored[(index * sizeof(float))..], value);
        else BinaryPrimitives.WriteUInt16LittleEndian(stored[(index * sizeof(ushort))..], BFloat16.Round(value));
    }

    static void EncodeScaled(CacheType type, float value, Span<byte> stored, int index)
    {
        if (type == CacheType.Fp8) stored[index] = Float8.Round(value);
        else if (type == CacheType.Int8) stored[index] = (byte)(sbyte)Math.Clamp(MathF.Round(value), -127, 127);
        else stored[index / 2] |= (byte)(((int)Math.Clamp(MathF.Round(value), -7, 7) & 15) << index % 2 * 4);
    }
}
