using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using Google.Protobuf;

namespace Serving.Server.Grpc.Framing;

/// <summary>Puts messages into a reply's body, each behind its five bytes.</summary>
static class MessageWriter
{
    /// <summary>The one compression that is served, as headers name it.</summary>
    public const string Gzip = "gzip";

    /// <summary>Messages below are not worth packing.</summary>
    const int WorthPacking = 1024;

    /// <summary>Writes a message, packed where <paramref name="packs"/> says so, or where that is null and it is worth it.</summary>
    public static void Write(IBufferWriter<byte> output, IMessage message, bool? packs)
    {
        var size = message.CalculateSize();
        if (packs ?? size >= WorthPacking)
        {
            var packed = Packed(message);
            Header(output, true, packed.Length);
            output.Write(packed);
            return;
        }
        Header(output, false, size);
        message.WriteTo(output);
    }

    static void Header(IBufferWriter<byte> output, bool isPacked, int size)
    {
        var header = output.GetSpan(MessageReader.HeaderBytes);
        header[0] = isPacked ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt32BigEndian(header[1..], size);
        output.Advance(MessageReader.HeaderBytes);
    }

    static ReadOnlySpan<byte> Packed(IMessage message)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            message.WriteTo(gzip);
        return packed.GetBuffer().AsSpan(0, (int)packed.Length);
    }
}
