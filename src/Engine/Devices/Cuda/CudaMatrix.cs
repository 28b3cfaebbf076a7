namespace Serving.Devices.Cuda;

/// <summary>A weight in device memory, byte for byte as it is stored.</summary>
sealed class CudaMatrix(StoredTensor source, nint address)
    : Matrix(source.Shape.Length == 3 ? source.Shape[0] : 1, source.Shape[^2], source.Shape[^1])
{
    /// <summary>How its values are stored.</summary>
    public StoredType Type { get; } = source.Type;

    /// <summary>What kernels are told of it.</summary>
    public Weights Weights => new(address, Type.BytesOf(Inputs), Type, Outputs, Inputs, Stack);

    /// <summary>Some neighbours of the stack as one matrix, their outputs side by side.</summary>
    public Weights Part(int first, int count) => first < 0 || count < 1 || first > Stack - count
        ? throw new ArgumentOutOfRangeException(nameof(first), $"Matrices {first} to {first + count} of a stack of {Stack}.")
        : Weights with { Address = address + (nint)(first * Outputs * Type.BytesOf(Inputs)), Outputs = count * Outputs, Stack = 1 };

    /// <summary>The matrix as this device's own; throws where another device has loaded it.</summary>
    public static CudaMatrix Own(Matrix matrix) => matrix as CudaMatrix
        ?? throw new ArgumentException($"The matrix is a {matrix.GetType().Name}, not one that a CUDA device has loaded.", nameof(matrix));
}

/// <summary>A stored matrix, or a stack, as kernels are told of it (<c>Weights</c> in <c>weights.cuh</c>).</summary>
/// <param name="Address">Its first row.</param>
/// <param name="RowBytes">Bytes from one row to the next.</param>
/// <param name="Type">How its values are stored.</param>
/// <param name="Outputs">Rows of a matrix.</param>
/// <param name="Inputs">Values of a row.</param>
/// <param name="Stack">Matrices.</param>
readonly record struct Weights(nint Address, long RowBytes, StoredType Type, int Outputs, int Inputs, int Stack);
