using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Pipelines;
using Google.Protobuf;

namespace Serving.Server.Grpc.Framing;

/// <summary>
/// Takes messages out of a request's body. Each has a byte that says whether it is compressed, four bytes of length (big-endian) and so many bytes;
/// lengths are checked before anything is kept for them, unpacked ones while unpacking.
/// </summary>
/// <param name="body">The body.</param>
/// <param name="encoding">The header grpc-encoding.</param>
/// <param name="limit">Most bytes of a message, packed and unpacked.</param>
sealed class MessageReader(PipeReader body, string encoding, long limit)
{
    /// <summary>Bytes before a message.</summary>
    public const int HeaderBytes = 5;

    /// <summary>Whether the last message read came compressed.</summary>
    public bool WasCompressed { get; private set; }

    /// <summary>The next message; null at the end of the body.</summary>
    public async ValueTask<T?> ReadAsync<T>(MessageParser<T> parser, CancellationToken cancellation) where T : class, IMessage<T>
    {
        while (true)
        {
            var read = await body.ReadAsync(cancellation);
            var (consumed, examined) = (read.Buffer.Start, read.Buffer.End);
            try
            {
                if (Framed(read.Buffer) is { } payload)
                {
                    consumed = examined = payload.End;
                    return Parsed(parser, payload);
                }
                if (read.IsCompleted)
                    return read.Buffer.IsEmpty ? null : throw Malformed($"The request ends after {read.Buffer.Length} bytes, amid a message.");
            }
            finally
            {
                body.AdvanceTo(consumed, examined);
            }
        }
    }

    /// <summary>The bytes of the message that the buffer begins with, once they are all there.</summary>
    ReadOnlySequence<byte>? Framed(ReadOnlySequence<byte> buffer)
    {
        if (buffer.Length < HeaderBytes)
            return null;
        Span<byte> header = stackalloc byte[HeaderBytes];
        buffer.Slice(0, HeaderBytes).CopyTo(header);
        if (header[0] > 1)
            throw Malformed($"A message begins with the byte {header[0]}, where 0 says plain and 1 compressed.");
        WasCompressed = header[0] == 1;
        var length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (length > limit)
            throw TooLarge($"A message has {length} bytes");
        return buffer.Length >= HeaderBytes + length ? buffer.Slice(HeaderBytes, length) : null;
    }

    T Parsed<T>(MessageParser<T> parser, ReadOnlySequence<byte> payload) where T : IMessage<T>
    {
        try
        {
            return parser.ParseFrom(WasCompressed ? Unpacked(payload) : payload);
        }
        catch (InvalidProtocolBufferException error)
        {
            throw Malformed($"The request is no {typeof(T).Name} that can be read: {error.Message}");
        }
    }

    ReadOnlySequence<byte> Unpacked(ReadOnlySequence<byte> packed)
    {
        if (encoding != MessageWriter.Gzip)
            throw new GrpcException(StatusCode.Internal, "A message is marked as compressed, but the header grpc-encoding names no compression.");
        var unpacked = new ArrayBufferWriter<byte>();
        try
        {
            using var gzip = new GZipStream(new MemoryStream(packed.ToArray()), CompressionMode.Decompress);
            for (int read; (read = gzip.Read(unpacked.GetSpan(4096))) > 0;)
            {
                unpacked.Advance(read);
                if (unpacked.WrittenCount > limit)
                    throw TooLarge("A message unpacks to more than it may");
            }
        }
        catch (InvalidDataException error)
        {
            throw Malformed($"A message is not gzip that can be unpacked: {error.Message}");
        }
        return new(unpacked.WrittenMemory);
    }

    static GrpcException Malformed(string message) => new(StatusCode.InvalidArgument, message);

    GrpcException TooLarge(string what) => new(StatusCode.ResourceExhausted, $"{what}; at most {limit} bytes are taken.");
}
