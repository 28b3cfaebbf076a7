using System.Collections.Immutable;

namespace Serving.Devices;

/// <summary>
/// A weight as it lies in mapped memory: rows are contiguous and the shape is outermost first, [out, in] for a matrix.
/// It owns nothing: whoever opened the file keeps the memory alive.
/// </summary>
public sealed class StoredTensor
{
    // Relative to the joined memory where there is one.
    readonly nint _data;

    /// <summary>Describes the memory at <paramref name="data"/>; throws if a row does not fill whole blocks.</summary>
    public StoredTensor(string name, StoredType type, ImmutableArray<int> shape, nint data) : this(name, type, shape, data, null)
    {
    }

    /// <summary>Describes memory that is put together when it is read; throws if a row does not fill whole blocks.</summary>
    public StoredTensor(string name, StoredType type, ImmutableArray<int> shape, JoinedMemory joined) : this(name, type, shape, 0, joined)
    {
    }

    StoredTensor(string name, StoredType type, ImmutableArray<int> shape, nint data, JoinedMemory? joined)
    {
        Name = name;
        Type = type;
        Shape = shape;
        (_data, Joined) = (data, joined);
        Columns = shape.IsEmpty ? 1 : shape[^1];
        RowBytes = type.BytesOf(Columns);
        Rows = shape.Length < 2 ? 1 : shape[..^1].Aggregate(1, (product, size) => checked(product * size));
    }

    /// <summary>The name it goes by in the checkpoint.</summary>
    public string Name { get; }

    /// <summary>How its values are stored.</summary>
    public StoredType Type { get; }

    /// <summary>Sizes, outermost first; empty for a scalar.</summary>
    public ImmutableArray<int> Shape { get; }

    /// <summary>The address of its first byte.</summary>
    public nint Data => Joined is null ? _data : Joined.Address + _data;

    /// <summary>The memory it lies in, where that was put together; null where it lies in a file.</summary>
    public JoinedMemory? Joined { get; }

    /// <summary>The length of a row: the last size of the shape.</summary>
    public int Columns { get; }

    /// <summary>How many rows there are: the product of all sizes but the last, 1 for a vector.</summary>
    public int Rows { get; }

    /// <summary>Bytes from one row to the next.</summary>
    public long RowBytes { get; }

    /// <summary>Bytes from the first to the last value.</summary>
    public long ByteLength => RowBytes * Rows;

    /// <summary>How many values it holds.</summary>
    public long Count => (long)Rows * Columns;

    /// <summary>The stored bytes of one row, counted over all leading sizes.</summary>
    public unsafe ReadOnlySpan<byte> Row(int row) => (uint)row < (uint)Rows
        ? new((byte*)Data + row * RowBytes, checked((int)RowBytes))
        : throw new ArgumentOutOfRangeException(nameof(row), $"Tensor {Name} has {Rows} rows; row {row} was asked for.");

    /// <summary>
    /// The range of <paramref name="count"/> entries from <paramref name="first"/> on of the outermost size:
    /// rows of a matrix, matrices of an expert stack, values of a vector.
    /// </summary>
    public StoredTensor Slice(int first, int count)
    {
        var size = Shape.IsEmpty ? 1 : Shape[0];
        if (first < 0 || count < 1 || first > size - count)
            throw new ArgumentOutOfRangeException(nameof(first), $"Tensor {Name} {Describe()} has no range of {count} from {first}.");
        var skipped = Shape.Length < 2 ? Type.BytesOf(first) : ByteLength / size * first;
        return new(Name, Type, Shape.IsEmpty ? Shape : Shape.SetItem(0, count), _data + (nint)skipped, Joined);
    }

    /// <summary>Entry <paramref name="index"/> of the outermost size, without that size: one matrix of an expert stack.</summary>
    public StoredTensor At(int index)
    {
        var slice = Slice(index, 1);
        return new(Name, Type, slice.Shape.IsEmpty ? slice.Shape : slice.Shape.RemoveAt(0), slice._data, Joined);
    }

    /// <summary>The same values under another name.</summary>
    public StoredTensor Named(string name) => new(name, Type, Shape, _data, Joined);

    /// <summary>Type and shape for messages, as in "Q4_K [192, 576]".</summary>
    public string Describe() => $"{Type.Name()} [{string.Join(", ", Shape)}]";
}
