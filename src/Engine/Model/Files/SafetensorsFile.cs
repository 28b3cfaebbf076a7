using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text.Json;
using Serving.Devices;

namespace Serving.Model;

/// <summary>
/// One safetensors file, mapped; its header is checked against its length, and every byte of the data belongs to one tensor.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    const long MostHeaderBytes = 32 << 20;
    const int MostDimensions = 8;

    readonly MappedFile _file;
    readonly Dictionary<string, Entry> _entries = [];
    readonly Dictionary<string, StoredTensor> _tensors = [];
    readonly long _dataStart;

    SafetensorsFile(MappedFile file)
    {
        _file = file;
        var cursor = new FileCursor(file, 0);
        var header = cursor.Count("bytes of header", 1);
        if (header > MostHeaderBytes)
            throw cursor.Error(0, $"says {header} bytes of header; at most {MostHeaderBytes} are read");
        _dataStart = 8 + header;
        foreach (var property in JsonFile.ParseObject(file.Bytes(8, (int)header), $"{Path}: header").EnumerateObject())
            if (property.Name != "__metadata__")
                _entries.Add(property.Name, ReadEntry(property));
        CheckCoverage();
        foreach (var (name, entry) in _entries)
            if (entry.Type.Served is { } type)
                _tensors.Add(name, new(name, type, entry.Shape, Address(entry)));
    }

    /// <summary>The path it was opened by.</summary>
    public string Path => _file.Path;

    /// <summary>The tensors whose type is served.</summary>
    public IReadOnlyDictionary<string, StoredTensor> Tensors => _tensors;

    /// <summary>The tensors whose type is not served as a weight (ids, masks, packed formats), with the name of that type.</summary>
    public IEnumerable<KeyValuePair<string, string>> Unserved =>
        _entries.Where(entry => entry.Value.Type.Served is null).Select(entry => KeyValuePair.Create(entry.Key, entry.Value.Type.Name));

    /// <summary>Maps and checks a file; what is wrong with it is a <see cref="CheckpointException"/>.</summary>
    public static SafetensorsFile Open(string path)
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

    /// <summary>The values of an I64 tensor.</summary>
    public long[] Int64(string name)
    {
        var bytes = BytesOf(name, "I64");
        var values = new long[bytes.Length / 8];
        for (var i = 0; i < values.Length; i++)
            values[i] = BinaryPrimitives.ReadInt64LittleEndian(bytes[(i * 8)..]);
        return values;
    }

    /// <summary>The values of a U8 tensor.</summary>
    public byte[] UInt8(string name) => BytesOf(name, "U8").ToArray();

    /// <summary>Some bytes of a tensor of the given type, which has one byte a value.</summary>
    public ReadOnlySpan<byte> Bytes(string name, string type, long from, int count)
    {
        var entry = Find(name);
        return entry.Type.Name == type && from >= 0 && from <= entry.End - entry.Start - count
            ? _file.Bytes(_dataStart + entry.Start + from, count)
            : throw new CheckpointException($"{Path}: tensor {name} is {entry.Type.Name}, {entry.End - entry.Start} bytes; {count} of {type} from {from} on are expected.");
    }

    /// <summary>The shape of a tensor of any type.</summary>
    public ImmutableArray<int> ShapeOf(string name) => Find(name).Shape;

    /// <summary>Unmaps the file: its tensors must not be touched any more.</summary>
    public void Dispose() => _file.Dispose();

    Entry Find(string name) => _entries.TryGetValue(name, out var entry)
        ? entry
        : throw new CheckpointException($"{Path}: there is no tensor {name}.");

    ReadOnlySpan<byte> BytesOf(string name, string type)
    {
        var entry = Find(name);
        return entry.Type.Name == type && entry.End - entry.Start <= int.MaxValue
            ? _file.Bytes(_dataStart + entry.Start, (int)(entry.End - entry.Start))
            : throw new CheckpointException(
                $"{Path}: tensor {name} is {entry.Type.Name}, {entry.End - entry.Start} bytes; {type} is expected.");
    }

    nint Address(Entry entry) => _file.Address(_dataStart + entry.Start, entry.End - entry.Start);

    Entry ReadEntry(JsonProperty property)
    {
        CheckpointException Wrong(string what) => new($"{Path}: tensor {property.Name}: {what}.");
        var fields = property.Value;
        if (fields.ValueKind != JsonValueKind.Object
            || !fields.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String
            || !fields.TryGetProperty("shape", out var shape) || !fields.TryGetProperty("data_offsets", out var offsets))
            throw Wrong("an object with dtype, shape and data_offsets is expected");
        var type = SafetensorsType.Find(dtype.GetString()!)
            ?? throw Wrong($"dtype {dtype.GetString()} is unknown; known are {SafetensorsType.AllNames}");
        var (sizes, range) = (Numbers(shape), Numbers(offsets));
        if (sizes is not { Length: <= MostDimensions } || sizes.Any(size => size > int.MaxValue))
            throw Wrong($"shape {JsonFile.Quote(shape)} is not a list of at most {MostDimensions} sizes up to {int.MaxValue}");
        if (range is not [var start, var end] || start > end || end > _file.Length - _dataStart)
            throw Wrong($"data_offsets {JsonFile.Quote(offsets)} are not a range within the {_file.Length - _dataStart} bytes of data");
        var bits = BitsOf(sizes, type) ?? throw Wrong($"shape {JsonFile.Quote(shape)} is larger than any file");
        return bits == (Int128)(end - start) * 8
            ? new(type, [.. sizes.Select(size => (int)size)], start, end)
            : throw Wrong(
                $"{type.Name} {JsonFile.Quote(shape)} takes {bits / 8} bytes, "
                + $"but data_offsets {JsonFile.Quote(offsets)} hold {end - start}");
    }

    static Int128? BitsOf(long[] sizes, SafetensorsType type)
    {
        Int128 values = 1;
        foreach (var size in sizes)
            if ((values *= size) > long.MaxValue / 64)
                return null;
        // Rows are counted in 32 bits, also where a size of 0 makes the whole empty.
        var rows = sizes.SkipLast(1).Aggregate((Int128)1, (product, size) => Int128.Min(product * size, long.MaxValue));
        return rows <= int.MaxValue ? values * type.Bits : null;
    }

    static long[]? Numbers(JsonElement list)
    {
        if (list.ValueKind != JsonValueKind.Array)
            return null;
        var numbers = new List<long>();
        foreach (var item in list.EnumerateArray())
            if (item.ValueKind == JsonValueKind.Number && item.TryGetInt64(out var number) && number >= 0)
                numbers.Add(number);
            else
                return null;
        return [.. numbers];
    }

    void CheckCoverage()
    {
        var ranges = _entries.Select(entry => new TensorRange(entry.Key, entry.Value.Start, entry.Value.End)).ToList();
        TensorRange.RefuseOverlaps(Path, ranges);
        var (covered, data) = (0L, _file.Length - _dataStart);
        foreach (var range in ranges)
        {
            if (range.Start > covered)
                throw new CheckpointException(
                    $"{Path}: bytes {covered} to {range.Start} of the data, before tensor {range.Name}, belong to no tensor.");
            covered = range.End;
        }
        if (covered != data)
            throw new CheckpointException($"{Path}: the tensors take {covered} bytes, but the file has {data} bytes of data.");
    }

    readonly record struct Entry(SafetensorsType Type, ImmutableArray<int> Shape, long Start, long End);
}
