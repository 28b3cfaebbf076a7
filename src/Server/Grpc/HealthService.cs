using System.Collections.Immutable;
using Serving.Protos.Health;
using Serving.Server.Grpc.Framing;
using Serving.Server.Http;
using static Serving.Protos.Health.HealthCheckResponse.Types;

namespace Serving.Server.Grpc;

/// <summary>grpc.health.v1.Health: every service is served as long as the engine can answer.</summary>
/// <param name="host">Knows whether it can.</param>
/// <param name="time">The clock of watchers.</param>
/// <param name="names">Full names of the services; the empty one is the server.</param>
sealed class HealthService(EngineHost host, TimeProvider time, ImmutableArray<string> names)
{
    /// <summary>How often a watched state is looked at.</summary>
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    public GrpcService Bound() => new GrpcService(HealthReflection.Descriptor.Services[0])
        .Unary<HealthCheckRequest, HealthCheckResponse>("Check", Check)
        .Unary<HealthListRequest, HealthListResponse>("List", List)
        .Streaming<HealthCheckRequest>("Watch", WatchAsync);

    ServingStatus Status => host.State == "ready" ? ServingStatus.Serving : ServingStatus.NotServing;

    ValueTask<HealthCheckResponse> Check(HealthCheckRequest request, GrpcCall call) => names.Contains(request.Service)
        ? new(new HealthCheckResponse { Status = Status })
        : throw new GrpcException(StatusCode.NotFound, $"There is no service '{RequestValue.Shortened(request.Service)}' here.");

    ValueTask<HealthListResponse> List(HealthListRequest request, GrpcCall call)
    {
        var list = new HealthListResponse();
        foreach (var name in names)
            list.Statuses.Add(name, new() { Status = Status });
        return new(list);
    }

    /// <summary>Tells every change until the client leaves; a server that drains tells that and ends, so that the watcher does not hold it up.</summary>
    async Task WatchAsync(HealthCheckRequest request, GrpcCall call)
    {
        ServingStatus? told = null;
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            var isDraining = host.State == "draining";
            var status = names.Contains(request.Service) ? Status : ServingStatus.ServiceUnknown;
            if (status != told)
            {
                await call.WriteAsync(new HealthCheckResponse { Status = status });
                await call.FlushAsync();
                told = status;
            }
            if (isDraining)
                throw ApiException.Draining();
        }
        while (await timer.WaitForNextTickAsync(call.Cancellation));
    }
}
