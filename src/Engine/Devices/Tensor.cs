namespace Serving.Devices;

/// <summary>
/// A window on float32 device memory: <paramref name="Rows"/> x <paramref name="Heads"/> vectors of <paramref name="Width"/> values.
/// A plain matrix has one head.
/// </summary>
/// <param name="Address">Address of the first value, in the device's address space.</param>
/// <param name="Rows">Rows, one for each token.</param>
/// <param name="Heads">Vectors in a row.</param>
/// <param name="Width">Values in a vector.</param>
/// <param name="RowStride">Values from one row to the next.</param>
/// <param name="HeadStride">Values from one vector of a row to the next.</param>
public readonly record struct Tensor(nint Address, int Rows, int Heads, int Width, int RowStride, int HeadStride)
{
    /// <summary>A packed matrix at an address.</summary>
    public static Tensor Matrix(nint address, int rows, int columns) => new(address, rows, 1, columns, columns, columns);

    /// <summary>True for the default value, which stands for "no tensor".</summary>
    public bool IsEmpty => Address == 0;

    /// <summary>Values in a row.</summary>
    public int Columns => Heads * Width;

    /// <summary>The first <paramref name="count"/> rows.</summary>
    public Tensor Take(int count) => Range(0, count);

    /// <summary>The rows <paramref name="first"/> up to <paramref name="first"/> + <paramref name="count"/>.</summary>
    public Tensor Range(int first, int count) => first < 0 || count < 0 || first + count > Rows
        ? throw new ArgumentOutOfRangeException(nameof(first), $"Rows {first} to {first + count} of a tensor of {Rows}.")
        : this with { Address = Address + (nint)first * RowStride * sizeof(float), Rows = count };

    /// <summary>The same rows cut into <paramref name="heads"/> vectors of equal width; the vectors must lie side by side.</summary>
    public Tensor Split(int heads) => Columns % heads != 0 || (Heads > 1 && HeadStride != Width)
        ? throw new ArgumentException($"A row of {Heads} x {Width} values (stride {HeadStride}) does not split into {heads} heads.", nameof(heads))
        : this with { Heads = heads, Width = Columns / heads, HeadStride = Columns / heads };

    /// <summary>The values <paramref name="offset"/> up to <paramref name="offset"/> + <paramref name="width"/> of every vector.</summary>
    public Tensor Slice(int offset, int width) => offset < 0 || width < 0 || offset + width > Width
        ? throw new ArgumentOutOfRangeException(nameof(offset), $"Values {offset} to {offset + width} of vectors of {Width}.")
        : this with { Address = Address + (nint)offset * sizeof(float), Width = width };

    /// <summary>The vectors <paramref name="first"/> up to <paramref name="first"/> + <paramref name="count"/> of every row.</summary>
    public Tensor PickHeads(int first, int count) => first < 0 || count < 0 || first + count > Heads
        ? throw new ArgumentOutOfRangeException(nameof(first), $"Heads {first} to {first + count} of {Heads}.")
        : this with { Address = Address + (nint)first * HeadStride * sizeof(float), Heads = count };
}
