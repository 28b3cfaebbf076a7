using Serving.Server.Http;

namespace Serving.Server.Grpc.Framing;

/// <summary>The routes of services, one a method, and the end of every call: whatever happens, a status.</summary>
sealed class GrpcEndpoints(ServerOptions options, RequestErrors errors, TimeProvider time)
{
    public void Map(IEndpointRouteBuilder routes, IEnumerable<GrpcService> services)
    {
        foreach (var service in services)
        {
            foreach (var (method, answer) in service.Methods)
                routes.MapPost($"/{service.Descriptor.FullName}/{method}", http => AnswerAsync(http, answer));
        }
    }

    async Task AnswerAsync(HttpContext http, Func<GrpcCall, Task> answer)
    {
        if (!GrpcCall.IsSpokenBy(http.Request))
            throw ApiException.NotGrpc(http.Request.Protocol, http.Request.ContentType);
        using var call = new GrpcCall(http, options, time);
        try
        {
            await answer(call);
            call.End(GrpcStatus.Ok);
        }
        catch (Exception error) when (Deadline.HasPassed(http) || !http.RequestAborted.IsCancellationRequested)
        {
            call.End(call.IsLate
                ? new(StatusCode.DeadlineExceeded, "The deadline passed before the call was done.")
                : Refusals.StatusOf(Deadline.Reason(http, error), errors, http));
        }
    }
}
