using System.Buffers.Binary;
using Serving.Devices;

namespace Serving.Model;

/// <summary>
/// Stacks in MXFP4 as gpt-oss publishes them: blocks [experts x rows x blocks x 16], two values in a byte, the earlier one below, and
/// scales [experts x rows x blocks]. ggml's blocks, which devices read, begin with the scale and hold the first 16 values below the others.
/// </summary>
static class MxFp4Weights
{
    const string Type = "U8";
    const int Values = 32;
    const int Bytes = 16;

    /// <summary>The stack [experts x rows x inputs] under a name.</summary>
    public static StoredTensor Join((SafetensorsFile File, string Name) blocks, (SafetensorsFile File, string Name) scales, string name)
    {
        var (shape, exponents) = (blocks.File.ShapeOf(blocks.Name), scales.File.ShapeOf(scales.Name));
        if (shape is not [.., var count, Bytes] || shape.Length < 3 || shape.Contains(0) || !exponents.SequenceEqual(shape[..^1]))
            throw new CheckpointException(
                $"{blocks.File.Path}: tensors {blocks.Name} [{string.Join(", ", shape)}] and {scales.Name} [{string.Join(", ", exponents)}] "
                + "are not rows of blocks of 16 bytes with a scale each.");
        int[] sizes = [.. shape[..^2], checked(count * Values)];
        return new(name, StoredType.MxFp4, [.. sizes], new JoinedMemory(() => Rows(blocks, scales, sizes)));
    }

    static Array Rows((SafetensorsFile File, string Name) blocks, (SafetensorsFile File, string Name) scales, int[] shape)
    {
        var builder = new MatrixBuilder(StoredType.MxFp4, shape);
        var (rows, count) = (shape[..^1].Aggregate(1L, (product, size) => product * size), shape[^1] / Values);
        var row = new byte[count * (1 + Bytes)];
        for (var r = 0L; r < rows; r++)
        {
            var packed = blocks.File.Bytes(blocks.Name, Type, r * count * Bytes, count * Bytes);
            var exponents = scales.File.Bytes(scales.Name, Type, r * count, count);
            for (var block = 0; block < count; block++)
            {
                var target = row.AsSpan(block * (1 + Bytes));
                target[0] = exponents[block];
                Turn(packed.Slice(block * Bytes, Bytes), target[1..]);
            }
            builder.Add(row.AsSpan());
        }
        return builder.Memory;
    }

    static void Turn(ReadOnlySpan<byte> pairs, Span<byte> halves)
    {
        var (first, last) = (BinaryPrimitives.ReadUInt64LittleEndian(pairs), BinaryPrimitives.ReadUInt64LittleEndian(pairs[8..]));
        BinaryPrimitives.WriteUInt64LittleEndian(halves, Spread((uint)first) | Spread((uint)last) << 4);
        BinaryPrimitives.WriteUInt64LittleEndian(halves[8..], Spread((uint)(first >> 32)) | Spread((uint)(last >> 32)) << 4);
    }

    // Eight nibbles, each in a byte.
    static ulong Spread(ulong nibbles)
    {
        nibbles = (nibbles | nibbles << 16) & 0x0000ffff0000ffff;
        nibbles = (nibbles | nibbles << 8) & 0x00ff00ff00ff00ff;
        return (nibbles | nibbles << 4) & 0x0f0f0f0f0f0f0f0f;
    }
}
