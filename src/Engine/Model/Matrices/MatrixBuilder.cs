using System.Runtime.InteropServices;
using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Model;

/// <summary>A matrix, or a stack of them, put together in host memory from rows and columns of stored ones; bfloat16 is the one type that others are rounded to.</summary>
sealed class MatrixBuilder
{
    readonly StoredType _type;
    readonly int[] _shape;
    readonly long _bytes;
    // Words, because a byte array ends at 2 GiB and a stack of experts does not.
    readonly ulong[] _words;
    long _filled;

    /// <summary>Room for values of a type in a shape, outermost size first.</summary>
    public MatrixBuilder(StoredType type, params int[] shape)
    {
        (_type, _shape) = (type, shape);
        _bytes = shape[..^1].Aggregate(type.BytesOf(shape[^1]), (bytes, size) => checked(bytes * size));
        _words = GC.AllocateUninitializedArray<ulong>(checked((int)(_bytes / sizeof(ulong) + 2)), pinned: true);
    }

    /// <summary>What holds the values; it must live as long as they are read.</summary>
    public Array Memory => _words;

    /// <summary>Appends the given rows of a matrix.</summary>
    public void AddRows(StoredTensor source, ReadOnlySpan<int> rows)
    {
        var values = source.Type == _type ? [] : new float[source.Columns];
        foreach (var row in rows)
            if (source.Type == _type) Add(source.Row(row));
            else
            {
                RowWidening.Widen(source, row, values);
                Add(values);
            }
    }

    /// <summary>Appends the given columns of a matrix as rows; the type is float32 or bfloat16.</summary>
    public void AddColumns(StoredTensor source, ReadOnlySpan<int> columns)
    {
        var turned = new float[checked(columns.Length * source.Rows)];
        var row = new float[source.Columns];
        for (var r = 0; r < source.Rows; r++)
        {
            RowWidening.Widen(source, r, row);
            for (var c = 0; c < columns.Length; c++) turned[c * source.Rows + r] = row[columns[c]];
        }
        for (var c = 0; c < columns.Length; c++) Add(turned.AsSpan(c * source.Rows, source.Rows));
    }

    /// <summary>The finished matrix.</summary>
    public StoredTensor Build(string name) => _filled == _bytes
        ? new(name, _type, [.. _shape], Marshal.UnsafeAddrOfPinnedArrayElement(_words, 0))
        : throw new InvalidOperationException($"{name} was built from {_filled} bytes; {_bytes} were expected.");

    /// <summary>Appends values, rounded to the type: float32 or bfloat16.</summary>
    public void Add(ReadOnlySpan<float> values)
    {
        if (_type == StoredType.F32)
        {
            Add(MemoryMarshal.AsBytes(values));
            return;
        }
        var halves = new ushort[values.Length];
        for (var i = 0; i < halves.Length; i++) halves[i] = BFloat16.Round(values[i]);
        Add(MemoryMarshal.AsBytes(halves.AsSpan()));
    }

    /// <summary>Appends stored bytes: rows, blocks or parts of them.</summary>
    public void Add(ReadOnlySpan<byte> row)
    {
        var (word, from) = ((int)(_filled / sizeof(ulong)), (int)(_filled % sizeof(ulong)));
        var room = MemoryMarshal.AsBytes(_words.AsSpan(word, Math.Min(_words.Length - word, row.Length / sizeof(ulong) + 2)));
        row.CopyTo(room[from..]);
        _filled += row.Length;
    }
}
