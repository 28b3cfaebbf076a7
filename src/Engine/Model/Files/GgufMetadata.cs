using System.Buffers.Binary;
using System.Text;

namespace Serving.Model;

/// <summary>The key-value pairs of a GGUF file, decoded when asked for; a value of another type than asked for is an error.</summary>
public sealed class GgufMetadata
{
    readonly MappedFile _file;
    readonly Dictionary<string, GgufValue> _values;

    internal GgufMetadata(MappedFile file, Dictionary<string, GgufValue> values) => (_file, _values) = (file, values);

    /// <summary>The file they stand in.</summary>
    public string Source => _file.Path;

    /// <summary>All keys, in no order.</summary>
    public IReadOnlyCollection<string> Keys => _values.Keys;

    /// <summary>Whether the key is there.</summary>
    public bool Has(string key) => _values.ContainsKey(key);

    /// <summary>Whether the key is there and holds an array.</summary>
    public bool IsArray(string key) => _values.TryGetValue(key, out var value) && value.Kind == GgufKind.Array;

    /// <summary>How many elements an array has; 1 for a plain value, 0 for a missing key.</summary>
    public long Count(string key) => _values.TryGetValue(key, out var value) ? value.Count : 0;

    /// <summary>A whole number of any width, or null if the key is missing.</summary>
    public long? Int(string key) => Decode(key, "a whole number", Whole);

    /// <summary>A number of any type, or null if the key is missing.</summary>
    public double? Float(string key) => Decode(key, "a number", Number);

    /// <summary>A truth value, or null if the key is missing.</summary>
    public bool? Bool(string key) => Decode(key, "true or false", Truth);

    /// <summary>A text, or null if the key is missing.</summary>
    public string? Text(string key)
    {
        if (!_values.TryGetValue(key, out var value))
            return null;
        return value.Kind == GgufKind.Text ? TextAt(value.Offset, out _) : throw Wrong(key, value, "a text");
    }

    /// <summary>An array of texts, or null if the key is missing.</summary>
    public string[]? Texts(string key)
    {
        if (FindArray(key) is not { } value)
            return null;
        if (value.ElementKind != GgufKind.Text)
            throw Wrong(key, value, "an array of texts");
        var (texts, at) = (new string[value.Count], value.Offset);
        for (var i = 0; i < texts.Length; i++)
            texts[i] = TextAt(at, out at);
        return texts;
    }

    /// <summary>An array of whole numbers of any width, or null if the key is missing.</summary>
    public long[]? Ints(string key) => DecodeAll(key, "an array of whole numbers", Whole);

    /// <summary>An array of numbers of any type, or null if the key is missing.</summary>
    public double[]? Floats(string key) => DecodeAll(key, "an array of numbers", Number);

    /// <summary>An array of truth values, or null if the key is missing.</summary>
    public bool[]? Bools(string key) => DecodeAll(key, "an array of truth values", Truth);

    /// <summary>Whether the value, or the elements of the array, are of a floating-point type.</summary>
    internal bool IsFraction(string key) =>
        _values.TryGetValue(key, out var value) && ElementOf(value) is GgufKind.Float32 or GgufKind.Float64;

    /// <summary>Whether the value, or the elements of the array, are of type <paramref name="kind"/>.</summary>
    internal bool Holds(string key, GgufKind kind) => _values.TryGetValue(key, out var value) && ElementOf(value) == kind;

    static GgufKind ElementOf(GgufValue value) => value.Kind == GgufKind.Array ? value.ElementKind : value.Kind;

    T? Decode<T>(string key, string wanted, Func<GgufKind, long, T?> decode) where T : struct =>
        !_values.TryGetValue(key, out var value) ? null : decode(value.Kind, value.Offset) ?? throw Wrong(key, value, wanted);

    T[]? DecodeAll<T>(string key, string wanted, Func<GgufKind, long, T?> decode) where T : struct
    {
        if (FindArray(key) is not { } value)
            return null;
        var (items, size) = (new T[value.Count], GgufValue.SizeOf(value.ElementKind));
        for (var i = 0; i < items.Length; i++)
            items[i] = decode(value.ElementKind, value.Offset + (long)i * size) ?? throw Wrong(key, value, wanted);
        return items;
    }

    GgufValue? FindArray(string key)
    {
        if (!_values.TryGetValue(key, out var value))
            return null;
        return value.Kind == GgufKind.Array ? value : throw Wrong(key, value, "an array");
    }

    long? Whole(GgufKind kind, long at) => kind switch
    {
        GgufKind.UInt8 => _file.Bytes(at, 1)[0],
        GgufKind.Int8 => (sbyte)_file.Bytes(at, 1)[0],
        GgufKind.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(_file.Bytes(at, 2)),
        GgufKind.Int16 => BinaryPrimitives.ReadInt16LittleEndian(_file.Bytes(at, 2)),
        GgufKind.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(_file.Bytes(at, 4)),
        GgufKind.Int32 => BinaryPrimitives.ReadInt32LittleEndian(_file.Bytes(at, 4)),
        GgufKind.UInt64 when BinaryPrimitives.ReadUInt64LittleEndian(_file.Bytes(at, 8)) is var value and <= long.MaxValue => (long)value,
        GgufKind.Int64 => BinaryPrimitives.ReadInt64LittleEndian(_file.Bytes(at, 8)),
        _ => null,
    };

    double? Number(GgufKind kind, long at) => kind switch
    {
        GgufKind.Float32 => BinaryPrimitives.ReadSingleLittleEndian(_file.Bytes(at, 4)),
        GgufKind.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(_file.Bytes(at, 8)),
        _ => Whole(kind, at),
    };

    bool? Truth(GgufKind kind, long at) => kind == GgufKind.Bool ? _file.Bytes(at, 1)[0] != 0 : null;

    string TextAt(long offset, out long end)
    {
        var length = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(_file.Bytes(offset, 8)));
        end = offset + 8 + length;
        return Encoding.UTF8.GetString(_file.Bytes(offset + 8, length));
    }

    CheckpointException Wrong(string key, GgufValue value, string wanted)
    {
        var found = value.Kind == GgufKind.Array ? $"an array of {value.Count} {value.ElementKind} values" : $"a {value.Kind}";
        return new($"{Source}: metadata key {key} is {found}; expected {wanted}.");
    }
}
