using System.Runtime.InteropServices;
using System.Text;

namespace Serving.Tests;

/// <summary>Writes GGUF files by hand, so that tests can make them lie.</summary>
sealed class GgufBytes
{
    readonly HashSet<string> _keys = [];
    readonly List<byte> _pairs = [];
    readonly List<byte> _tensors = [];
    readonly List<byte> _data = [];

    public uint Magic { get; set; } = 0x46554747;

    public uint Version { get; set; } = 3;

    public ulong Pairs { get; set; }

    public ulong Tensors { get; set; }

    public GgufBytes Text(string key, string value) => Pair(key, 8, writer => Write(writer, value));

    public GgufBytes UInt32(string key, uint value) => Pair(key, 4, writer => writer.Write(value));

    public GgufBytes UInt16(string key, ushort value) => Pair(key, 2, writer => writer.Write(value));

    public GgufBytes Float32(string key, float value) => Pair(key, 6, writer => writer.Write(value));

    public GgufBytes Texts(string key, params string[] values) => Pair(key, 9, writer =>
    {
        writer.Write(8u);
        writer.Write((ulong)values.Length);
        foreach (var value in values)
            Write(writer, value);
    });

    public GgufBytes Pair(string key, uint type, Action<BinaryWriter> value)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        Write(writer, key);
        writer.Write(type);
        value(writer);
        _pairs.AddRange(stream.ToArray());
        _keys.Add(key);
        Pairs++;
        return this;
    }

    public GgufBytes Bools(string key, params bool[] values) => Pair(key, 9, writer =>
    {
        writer.Write(7u);
        writer.Write((ulong)values.Length);
        foreach (var value in values) writer.Write(value);
    });

    /// <summary>Whether no pair of this key was written yet.</summary>
    public bool Unsaid(string key) => !_keys.Contains(key);

    public GgufBytes Bool(string key, bool value) => Pair(key, 7, writer => writer.Write(value));

    /// <summary>A float32 tensor of a shape, outermost size first.</summary>
    public GgufBytes Tensor(string name, int[] shape, float[] values) => Tensor(name, shape, 0, MemoryMarshal.AsBytes(values.AsSpan()));

    /// <summary>A tensor of a shape, outermost size first, as the bytes of a stored type.</summary>
    public GgufBytes Tensor(string name, int[] shape, uint type, ReadOnlySpan<byte> bytes)
    {
        var start = _data.Count;
        Tensor(name, [.. shape.Reverse().Select(size => (ulong)size)], type, bytes.Length);
        bytes.CopyTo(CollectionsMarshal.AsSpan(_data)[start..]);
        return this;
    }

    /// <summary>A tensor with its sizes innermost first, as the file has them; its bytes follow the last one's unless an offset is given.</summary>
    public GgufBytes Tensor(string name, ulong[] sizes, uint type, int bytes, ulong? offset = null)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        Write(writer, name);
        writer.Write((uint)sizes.Length);
        foreach (var size in sizes)
            writer.Write(size);
        writer.Write(type);
        writer.Write(offset ?? (ulong)_data.Count);
        _tensors.AddRange(stream.ToArray());
        _data.AddRange(Enumerable.Range(0, (bytes + 31) / 32 * 32).Select(i => (byte)i));
        Tensors++;
        return this;
    }

    public byte[] ToArray()
    {
        using var file = new MemoryStream();
        using var writer = new BinaryWriter(file);
        writer.Write(Magic);
        writer.Write(Version);
        writer.Write(Tensors);
        writer.Write(Pairs);
        writer.Write(_pairs.ToArray());
        writer.Write(_tensors.ToArray());
        writer.Write(new byte[(32 - file.Length % 32) % 32]);
        writer.Write(_data.ToArray());
        return file.ToArray();
    }

    static void Write(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }
}
