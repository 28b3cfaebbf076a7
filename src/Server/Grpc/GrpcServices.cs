using Serving.Protos;
using Serving.Protos.Health;
using Serving.Server.Grpc.Framing;
using Serving.Server.OpenAi;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Serving.Server.Grpc;

/// <summary>Every service of the server.</summary>
static class GrpcServices
{
    /// <summary>Where the health service answers; open to all.</summary>
    public static readonly string HealthPath = $"/{HealthReflection.Descriptor.Services[0].FullName}";

    public static void Map(WebApplication app)
    {
        var replies = app.Services.GetRequiredService<ReplyServices>();
        ServiceDescriptor[] served =
            [GenerationReflection.Descriptor.Services[0], HealthReflection.Descriptor.Services[0], .. ReflectionService.Descriptors];
        app.Services.GetRequiredService<GrpcEndpoints>().Map(app,
        [
            new GenerationService(replies).Bound(),
            new HealthService(replies.Host, replies.Time, ["", .. served.Select(service => service.FullName)]).Bound(),
            .. new ReflectionService([.. served]).Bound(),
        ]);
    }
}
