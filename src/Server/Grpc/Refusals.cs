using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Serving.Protos.Rpc;
using Serving.Server.Grpc.Framing;
using Serving.Server.Http;

namespace Serving.Server.Grpc;

/// <summary>The server's errors as gRPC tells them: a status for the kind, details for the field, the word and the time to come back.</summary>
static class Refusals
{
    const string Domain = "serving";

    public static GrpcStatus StatusOf(Exception error, RequestErrors errors, HttpContext http) =>
        error is GrpcException known ? known.Status : StatusOf(errors.Of(error, http));

    public static GrpcStatus StatusOf(ApiError error) => new(CodeOf(error), error.Message) { Details = [.. Details(error)] };

    static StatusCode CodeOf(ApiError error) => error.Status switch
    {
        StatusCodes.Status400BadRequest or StatusCodes.Status422UnprocessableEntity => StatusCode.InvalidArgument,
        StatusCodes.Status401Unauthorized => StatusCode.Unauthenticated,
        StatusCodes.Status403Forbidden => StatusCode.PermissionDenied,
        StatusCodes.Status404NotFound => error.Param is null ? StatusCode.Unimplemented : StatusCode.NotFound,
        StatusCodes.Status405MethodNotAllowed => StatusCode.Unimplemented,
        StatusCodes.Status408RequestTimeout or StatusCodes.Status504GatewayTimeout => StatusCode.DeadlineExceeded,
        StatusCodes.Status413PayloadTooLarge or StatusCodes.Status429TooManyRequests => StatusCode.ResourceExhausted,
        StatusCodes.Status503ServiceUnavailable => StatusCode.Unavailable,
        >= StatusCodes.Status500InternalServerError => StatusCode.Internal,
        _ => StatusCode.InvalidArgument,
    };

    static IEnumerable<IMessage> Details(ApiError error)
    {
        if (error.Code is { } code)
            yield return new ErrorInfo { Reason = code.ToUpperInvariant(), Domain = Domain };
        if (error.Param is { } field)
            yield return new BadRequest { FieldViolations = { new BadRequest.Types.FieldViolation { Field = field, Description = error.Message } } };
        if (error.RetryAfter is { } seconds)
            yield return new RetryInfo { RetryDelay = Duration.FromTimeSpan(TimeSpan.FromSeconds(seconds)) };
    }
}
