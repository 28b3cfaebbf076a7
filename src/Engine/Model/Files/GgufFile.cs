using System.Collections.Immutable;
using System.Numerics;
using Serving.Devices;

namespace Serving.Model;

/// <summary>
/// One GGUF file of version 2 or 3: its metadata and where its tensors lie. Nothing it says is used before it is checked.
/// </summary>
public sealed class GgufFile : IDisposable
{
    const uint Magic = 0x46554747;
    const int LongestName = 65535;
    const int MostDimensions = 4;

    readonly MappedFile _file;

    GgufFile(MappedFile file)
    {
        _file = file;
        var cursor = new FileCursor(file, 0);
        ReadVersion(cursor);
        var tensors = cursor.Count("tensors", 24);
        var pairs = cursor.Count("metadata pairs", 13);
        Metadata = ReadMetadata(cursor, pairs);
        Tensors = ReadTensors(cursor, tensors);
    }

    /// <summary>The path it was opened by.</summary>
    public string Path => _file.Path;

    /// <summary>Its key-value pairs.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>Its tensors by their own names, shapes outermost first.</summary>
    public IReadOnlyDictionary<string, StoredTensor> Tensors { get; }

    /// <summary>Maps and checks a file; what is wrong with it is a <see cref="CheckpointException"/> that names the offset.</summary>
    public static GgufFile Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Unmaps the file: its tensors must not be touched any more.</summary>
    public void Dispose() => _file.Dispose();

    static void ReadVersion(FileCursor cursor)
    {
        var magic = cursor.UInt32();
        if (magic != Magic)
            throw cursor.Error(0, $"a GGUF file begins with the bytes GGUF, this one with 0x{magic:x8}");
        var version = cursor.UInt32();
        if (version is 2 or 3)
            return;
        var why = (version & 0xFFFF) == 0 ? "is that of a big-endian file" : "is not read";
        throw cursor.Error(4, $"GGUF version {version} {why}; little-endian versions 2 and 3 are");
    }

    GgufMetadata ReadMetadata(FileCursor cursor, long count)
    {
        var values = new Dictionary<string, GgufValue>();
        for (var i = 0L; i < count; i++)
        {
            var at = cursor.Position;
            var key = cursor.Text("a metadata key", LongestName);
            if (!values.TryAdd(key, GgufValue.Read(cursor)))
                throw cursor.Error(at, $"metadata key {key} stands in the file twice");
        }
        return new(_file, values);
    }

    Dictionary<string, StoredTensor> ReadTensors(FileCursor cursor, long count)
    {
        var entries = new List<Entry>();
        for (var i = 0L; i < count; i++)
            entries.Add(ReadEntry(cursor));
        var alignment = Alignment();
        var start = checked((cursor.Position + alignment - 1) / alignment * alignment);
        var tensors = new Dictionary<string, StoredTensor>();
        var ranges = new List<TensorRange>();
        foreach (var entry in entries)
        {
            if (!tensors.TryAdd(entry.Name, Place(entry, start, alignment)))
                throw new CheckpointException($"{Path}: tensor {entry.Name} stands in the file twice.");
            ranges.Add(new(entry.Name, entry.Offset, entry.Offset + entry.Bytes));
        }
        TensorRange.RefuseOverlaps(Path, ranges);
        return tensors;
    }

    long Alignment()
    {
        var alignment = Metadata.Int("general.alignment") ?? 32;
        return alignment is >= 8 and <= 65536 && BitOperations.IsPow2(alignment)
            ? alignment
            : throw new CheckpointException($"{Path}: general.alignment is {alignment}; a power of two from 8 to 65536 is expected.");
    }

    static Entry ReadEntry(FileCursor cursor)
    {
        var at = cursor.Position;
        var name = cursor.Text("a tensor name", LongestName);
        var shape = ReadShape(cursor, name);
        var number = cursor.UInt32();
        var type = GgmlTypes.Find(number)
            ?? throw cursor.Error(at, $"tensor {name} is stored as type {GgmlTypes.Describe(number)}; served are {GgmlTypes.ServedNames}");
        var columns = shape[^1];
        if (columns % type.BlockValues() != 0)
            throw cursor.Error(
                at, $"tensor {name} has rows of {columns} values, which do not fill whole {type.Name()} blocks of {type.BlockValues()}");
        var offset = cursor.UInt64();
        return offset <= long.MaxValue / 2
            ? new(name, type, shape, (long)offset, Bytes(cursor, name, type, shape))
            : throw cursor.Error(at, $"tensor {name} says it lies at {offset}, beyond any file");
    }

    static ImmutableArray<int> ReadShape(FileCursor cursor, string name)
    {
        var at = cursor.Position;
        var dimensions = cursor.UInt32();
        if (dimensions is < 1 or > MostDimensions)
            throw cursor.Error(at, $"tensor {name} has {dimensions} dimensions; 1 to {MostDimensions} are expected");
        var shape = new int[dimensions];
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            var size = cursor.UInt64();
            shape[i] = size is >= 1 and <= int.MaxValue ? (int)size : throw cursor.Error(at, $"tensor {name} has a dimension of {size}");
        }
        return [.. shape];
    }

    static long Bytes(FileCursor cursor, string name, StoredType type, ImmutableArray<int> shape)
    {
        var rows = shape[..^1].Aggregate((UInt128)1, (product, size) => product * (UInt128)size);
        var bytes = rows * (UInt128)type.BytesOf(shape[^1]);
        return rows <= int.MaxValue && bytes <= long.MaxValue / 2
            ? (long)bytes
            : throw cursor.Error(cursor.Position, $"tensor {name} {type.Name()} [{string.Join(", ", shape)}] is larger than any file");
    }

    StoredTensor Place(Entry entry, long start, long alignment)
    {
        var (name, offset, bytes) = (entry.Name, entry.Offset, entry.Bytes);
        if (offset % alignment != 0)
            throw new CheckpointException($"{Path}: tensor {name} lies at {offset}, which is no multiple of the alignment {alignment}.");
        var room = Math.Max(0, _file.Length - start);
        if (offset > room - bytes)
            throw new CheckpointException(
                $"{Path}: tensor {name} takes bytes {offset} to {offset + bytes} of the data, which ends at {room}: "
                + "the file is cut short or damaged.");
        return new(name, entry.Type, entry.Shape, _file.Address(start + offset, bytes));
    }

    readonly record struct Entry(string Name, StoredType Type, ImmutableArray<int> Shape, long Offset, long Bytes);
}
