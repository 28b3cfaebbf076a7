using System.Collections.Immutable;
using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Model;

/// <summary>Matrices of E4M3 values with a scale for each square of 128 x 128: in a row, each block gets its square's scale.</summary>
static class Fp8Weights
{
    /// <summary>Rows and columns of a square.</summary>
    public const int Block = 128;

    /// <summary>What safetensors call the values.</summary>
    public const string Type = "F8_E4M3";

    /// <summary>The matrix in rows of blocks.</summary>
    public static StoredTensor Join(SafetensorsFile file, string name, StoredTensor scales)
    {
        var shape = file.ShapeOf(name);
        if (shape is not [var rows, var columns] || columns % Block != 0 || rows == 0 || columns == 0)
            throw new CheckpointException($"{file.Path}: tensor {name} {Type} [{string.Join(", ", shape)}] is not a matrix whose rows fill blocks of {Block}.");
        ImmutableArray<int> squares = [(rows + Block - 1) / Block, columns / Block];
        if (!scales.Shape.SequenceEqual(squares))
            throw new CheckpointException(
                $"{file.Path}: tensor {scales.Name} is {scales.Describe()}; [{string.Join(", ", squares)}] are expected for {name} [{rows}, {columns}].");
        return new(name, StoredType.F8, shape, new JoinedMemory(() => Rows(file, name, rows, columns, scales)));
    }

    static Array Rows(SafetensorsFile file, string name, int rows, int columns, StoredTensor scales)
    {
        var builder = new MatrixBuilder(StoredType.F8, rows, columns);
        var squares = new float[columns / Block];
        for (var row = 0; row < rows; row++)
        {
            if (row % Block == 0) RowWidening.Widen(scales, row / Block, squares);
            var values = file.Bytes(name, Type, (long)row * columns, columns);
            for (var square = 0; square < squares.Length; square++)
            {
                builder.Add(BitConverter.GetBytes(squares[square]).AsSpan());
                builder.Add(values.Slice(square * Block, Block));
            }
        }
        return builder.Memory;
    }
}
