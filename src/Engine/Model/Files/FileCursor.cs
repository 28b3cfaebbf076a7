using System.Buffers.Binary;
using System.Text;

namespace Serving.Model;

/// <summary>
/// Reads little-endian values one after another from a mapped file; whatever leaves the file is an error with its offset.
/// </summary>
sealed class FileCursor(MappedFile file, long position)
{
    const int LongestText = 1 << 26;

    public long Position { get; private set; } = position;

    public long Remaining => file.Length - Position;

    public byte Byte() => Next(1, "a byte")[0];

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Next(4, "a number of 4 bytes"));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Next(8, "a number of 8 bytes"));

    /// <summary>
    /// A count of things that take at least <paramref name="leastBytes"/> each: never more than the rest of the file can hold.
    /// </summary>
    public long Count(string what, long leastBytes)
    {
        var at = Position;
        var count = UInt64();
        return count <= (ulong)(Remaining / leastBytes)
            ? (long)count
            : throw Error(at, $"says {count} {what}, but the {Remaining} bytes that follow hold at most {Remaining / leastBytes}");
    }

    public string Text(string what, int mostBytes)
    {
        var at = Position;
        var length = Count($"bytes of {what}", 1);
        return length <= mostBytes
            ? Encoding.UTF8.GetString(Next((int)length, what))
            : throw Error(at, $"says {length} bytes of {what}; at most {mostBytes} are read");
    }

    /// <summary>Steps over texts: a vocabulary has a hundred thousand, so this is one plain loop.</summary>
    public void SkipTexts(long count)
    {
        var at = Position;
        for (var i = 0L; i < count; i++)
        {
            var length = file.Length - at >= 8 ? BinaryPrimitives.ReadUInt64LittleEndian(file.Bytes(at, 8)) : ulong.MaxValue;
            if (length > (ulong)Math.Max(0, file.Length - at - 8) || length > LongestText)
                throw Error(at, $"text {i} of {count} does not fit: {file.Length - at} bytes are left, and at most {LongestText} are read");
            at += 8 + (long)length;
        }
        Position = at;
    }

    public void Skip(long bytes, string what)
    {
        if (bytes > Remaining)
            throw Error(Position, $"{what} of {bytes} bytes, but the file ends after {Remaining}");
        Position += bytes;
    }

    public CheckpointException Error(long at, string message) => new($"{file.Path}: offset {at}: {message}.");

    ReadOnlySpan<byte> Next(int bytes, string what)
    {
        var at = Position;
        Skip(bytes, what);
        return file.Bytes(at, bytes);
    }
}
