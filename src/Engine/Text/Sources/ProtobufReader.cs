using System.Buffers.Binary;

namespace Serving.Text;

/// <summary>Reads the fields of one protobuf message from untrusted bytes; every length is checked against what is left.</summary>
ref struct ProtobufReader(ReadOnlySpan<byte> message, string where)
{
    ReadOnlySpan<byte> _rest = message;
    readonly int _length = message.Length;

    /// <summary>The number of the field that was read last.</summary>
    public int Field { get; private set; }

    /// <summary>The value of a field of a whole number or flag.</summary>
    public ulong Number { get; private set; }

    /// <summary>The value of a text, message, or fixed-width field.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    public bool Next()
    {
        if (_rest.IsEmpty)
            return false;
        var key = Varint();
        Field = key >> 3 is > 0 and <= int.MaxValue and var field ? (int)field : throw Damaged($"the field number {key >> 3}");
        Number = 0;
        Bytes = default;
        switch (key & 7)
        {
            case 0:
                Number = Varint();
                break;
            case 1:
                Bytes = Take(8);
                break;
            case 2:
                Bytes = Take(Varint());
                break;
            case 5:
                Bytes = Take(4);
                break;
            default:
                throw Damaged($"wire type {key & 7} of field {Field}");
        }
        return true;
    }

    public readonly float Float() => Bytes.Length == 4 ? BinaryPrimitives.ReadSingleLittleEndian(Bytes)
        : throw Damaged($"{Bytes.Length} bytes in field {Field}, a number of 4 bytes");

    ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)_rest.Length)
            throw Damaged($"a length of {length} with {_rest.Length} bytes left");
        var taken = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return taken;
    }

    ulong Varint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if (_rest.IsEmpty)
                throw Damaged("its end inside a number");
            var part = _rest[0];
            _rest = _rest[1..];
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
                return value;
        }
        throw Damaged("a number of more than 64 bits");
    }

    readonly InvalidDataException Damaged(string seen) => new($"{where} is damaged: at byte {_length - _rest.Length} of {_length} it has {seen}.");
}
