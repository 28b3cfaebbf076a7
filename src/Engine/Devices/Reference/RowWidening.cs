using System.Buffers.Binary;

namespace Serving.Devices.Reference;

/// <summary>Widens stored rows to single precision, value by value as ggml's own dequantisation does: the oracle of fast kernels.</summary>
public static class RowWidening
{
    delegate void Block(ReadOnlySpan<byte> block, Span<float> values);

    static readonly Block[] Blocks =
        [WidenF32, WidenF16, WidenBF16, WidenQ8, WidenQ4, WidenQ4Min, WidenQ5, WidenQ5Min, WidenQ4K, WidenQ5K, WidenQ6K, WidenMxFp4, WidenF8];

    /// <summary>Writes row <paramref name="row"/> of a tensor, all its columns, to <paramref name="values"/>.</summary>
    public static void Widen(StoredTensor tensor, int row, Span<float> values) => Widen(tensor.Type, tensor.Row(row), values[..tensor.Columns]);

    /// <summary>Writes the values of whole blocks; <paramref name="values"/> is exactly as long as <paramref name="stored"/> holds.</summary>
    public static void Widen(StoredType type, ReadOnlySpan<byte> stored, Span<float> values)
    {
        if (stored.Length != type.BytesOf(values.Length))
            throw new ArgumentException($"{values.Length} values of {type.Name()} take {type.BytesOf(values.Length)} bytes, not {stored.Length}.");
        var widen = Blocks[(int)type];
        var (size, bytes) = (type.BlockValues(), type.BlockBytes());
        for (var block = 0; block * size < values.Length; block++)
            widen(stored.Slice(block * bytes, bytes), values.Slice(block * size, size));
    }

    /// <summary>All values of a tensor, row after row.</summary>
    public static float[] Widen(StoredTensor tensor)
    {
        var values = new float[tensor.Count];
        for (var row = 0; row < tensor.Rows; row++)
            Widen(tensor, row, values.AsSpan(row * tensor.Columns));
        return values;
    }

    static float Half(ReadOnlySpan<byte> bytes) => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes);

    static void WidenF32(ReadOnlySpan<byte> block, Span<float> values) => values[0] = BinaryPrimitives.ReadSingleLittleEndian(block);

    static void WidenF16(ReadOnlySpan<byte> block, Span<float> values) => values[0] = Half(block);

    static void WidenBF16(ReadOnlySpan<byte> block, Span<float> values) =>
        values[0] = BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(block) << 16);

    static void WidenQ8(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scale = Half(block);
        for (var i = 0; i < 32; i++)
            values[i] = (sbyte)block[2 + i] * scale;
    }

    static void WidenQ4(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scale = Half(block);
        for (var i = 0; i < 32; i++)
            values[i] = (Nibble(block[2..], i) - 8) * scale;
    }

    static void WidenQ4Min(ReadOnlySpan<byte> block, Span<float> values)
    {
        var (scale, minimum) = (Half(block), Half(block[2..]));
        for (var i = 0; i < 32; i++)
            values[i] = Nibble(block[4..], i) * scale + minimum;
    }

    static void WidenQ5(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scale = Half(block);
        var fifth = BinaryPrimitives.ReadUInt32LittleEndian(block[2..]);
        for (var i = 0; i < 32; i++)
            values[i] = ((Nibble(block[6..], i) | Bit(fifth, i) << 4) - 16) * scale;
    }

    static void WidenQ5Min(ReadOnlySpan<byte> block, Span<float> values)
    {
        var (scale, minimum) = (Half(block), Half(block[2..]));
        var fifth = BinaryPrimitives.ReadUInt32LittleEndian(block[4..]);
        for (var i = 0; i < 32; i++)
            values[i] = (Nibble(block[8..], i) | Bit(fifth, i) << 4) * scale + minimum;
    }

    static void WidenQ4K(ReadOnlySpan<byte> block, Span<float> values)
    {
        for (var group = 0; group < 8; group++)
        {
            var (scale, minimum) = GroupOfK(block, group);
            for (var i = 0; i < 32; i++)
                values[group * 32 + i] = scale * NibbleOfK(block[16..], group, i) - minimum;
        }
    }

    static void WidenQ5K(ReadOnlySpan<byte> block, Span<float> values)
    {
        for (var group = 0; group < 8; group++)
        {
            var (scale, minimum) = GroupOfK(block, group);
            for (var i = 0; i < 32; i++)
                values[group * 32 + i] = scale * (NibbleOfK(block[48..], group, i) | Bit(block[16 + i], group) << 4) - minimum;
        }
    }

    static void WidenQ6K(ReadOnlySpan<byte> block, Span<float> values)
    {
        var high = block[128..192];
        var scales = block[192..208];
        var scale = Half(block[208..]);
        for (var i = 0; i < 256; i++)
        {
            // Each half of 128 values takes 64 bytes of nibbles and 32 bytes of bit pairs; a quarter of it is 32 values.
            var (half, quarter, at) = (i / 128, i / 32 % 4, i % 32);
            var nibble = block[half * 64 + quarter % 2 * 32 + at] >> quarter / 2 * 4 & 15;
            var pair = high[half * 32 + at] >> quarter * 2 & 3;
            values[i] = scale * (sbyte)scales[i / 16] * ((nibble | pair << 4) - 32);
        }
    }

    static void WidenMxFp4(ReadOnlySpan<byte> block, Span<float> values)
    {
        ReadOnlySpan<float> sizes = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6];
        var scale = block[0] == 255 ? float.NaN : (float)Math.ScaleB(1, block[0] - 127);
        for (var i = 0; i < 32; i++)
        {
            var nibble = Nibble(block[1..], i);
            values[i] = (nibble < 8 ? sizes[nibble] : -sizes[nibble - 8]) * scale;
        }
    }

    static void WidenF8(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scale = BinaryPrimitives.ReadSingleLittleEndian(block);
        for (var i = 0; i < 128; i++) values[i] = Eight(block[4 + i]) * scale;
    }

    // Four bits of exponent around 7, three of fraction; all ones are no number, and there is no infinity.
    static float Eight(byte bits)
    {
        var (exponent, fraction) = (bits >> 3 & 15, bits & 7);
        var size = (bits & 127) == 127 ? double.NaN
            : exponent == 0 ? Math.ScaleB(fraction, -9) : Math.ScaleB(8 + fraction, exponent - 10);
        return (float)(bits < 128 ? size : -size);
    }

    static int Bit(uint bits, int index) => (int)(bits >> index & 1);

    // The low nibbles of 16 bytes are the first 16 values, the high ones the rest.
    static int Nibble(ReadOnlySpan<byte> packed, int index) => packed[index % 16] >> index / 16 * 4 & 15;

    // Two neighbouring groups of 32 share 32 bytes: low nibbles, then high ones.
    static int NibbleOfK(ReadOnlySpan<byte> packed, int group, int index) => packed[group / 2 * 32 + index] >> group % 2 * 4 & 15;

    // Twelve bytes hold eight 6-bit scales and minimums; the upper two bits of the last four of each lie above the first four.
    static (float Scale, float Minimum) GroupOfK(ReadOnlySpan<byte> block, int group)
    {
        var packed = block[4..16];
        var (scale, minimum) = group < 4
            ? (packed[group] & 63, packed[group + 4] & 63)
            : (packed[group + 4] & 15 | packed[group - 4] >> 6 << 4, packed[group + 4] >> 4 | packed[group] >> 6 << 4);
        return (Half(block) * scale, Half(block[2..]) * minimum);
    }
}
