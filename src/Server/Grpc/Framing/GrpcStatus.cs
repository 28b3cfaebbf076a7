using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Serving.Server.Grpc.Framing;

/// <summary>The status codes of gRPC.</summary>
enum StatusCode
{
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

/// <summary>How a call ends: a code, a sentence for people, and messages for programs.</summary>
sealed record GrpcStatus(StatusCode Code, string Message = "")
{
    public static GrpcStatus Ok { get; } = new(StatusCode.Ok);

    public ImmutableArray<IMessage> Details { get; init; } = [];

    /// <summary>Writes the status where a client looks for it: after the messages, or beside the headers where there were none.</summary>
    public void WriteTo(IHeaderDictionary trailers)
    {
        trailers["grpc-status"] = ((int)Code).ToString(CultureInfo.InvariantCulture);
        if (Message.Length > 0)
            trailers["grpc-message"] = Escaped(Message);
        if (Details.Length > 0)
            trailers["grpc-status-details-bin"] = Details64();
    }

    /// <summary>A text as the protocol writes it in headers: bytes of UTF-8, with all but printable ASCII as %XX, and % too.</summary>
    public static string Escaped(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var value in Encoding.UTF8.GetBytes(text))
            _ = value is >= 0x20 and <= 0x7E and not (byte)'%' ? escaped.Append((char)value) : escaped.Append('%').Append(value.ToString("X2"));
        return escaped.ToString();
    }

    string Details64()
    {
        var status = new Protos.Rpc.Status { Code = (int)Code, Message = Message };
        status.Details.AddRange(Details.Select(Any.Pack));
        return Convert.ToBase64String(status.ToByteArray()).TrimEnd('=');
    }
}

/// <summary>Ends a call with a status.</summary>
sealed class GrpcException(GrpcStatus status) : Exception(status.Message)
{
    public GrpcException(StatusCode code, string message) : this(new GrpcStatus(code, message))
    {
    }

    public GrpcStatus Status { get; } = status;
}
