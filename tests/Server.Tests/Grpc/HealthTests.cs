using System.Net;
using Google.Protobuf;
using Serving.Protos;
using Serving.Protos.Health;
using Serving.Server.Grpc.Framing;
using static Serving.Protos.Health.HealthCheckResponse.Types;

namespace Serving.Tests.Grpc;

/// <summary>grpc.health.v1 and the readiness route, which say the same.</summary>
public sealed class HealthTests
{
    const string Check = "/grpc.health.v1.Health/Check", Watch = "/grpc.health.v1.Health/Watch", List = "/grpc.health.v1.Health/List";

    [Fact]
    public async Task Every_service_can_be_asked_for_and_no_other()
    {
        await using var server = await TestServer.StartAsync();
        foreach (var service in (string[])["", "serving.v1.Generation", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"])
            Assert.Equal(ServingStatus.Serving, (await server.Grpc.CallAsync(Check, new HealthCheckRequest { Service = service })).Only<HealthCheckResponse>().Status);
        Assert.Equal(StatusCode.NotFound, (await server.Grpc.CallAsync(Check, new HealthCheckRequest { Service = "no.Such" })).Status);
        Assert.Equal(5, (await server.Grpc.CallAsync(List, new HealthListRequest())).Only<HealthListResponse>().Statuses.Count);
        using var watch = await server.Grpc.OpenAsync(Watch, Frame(new HealthCheckRequest { Service = "no.Such" }));
        Assert.Equal(ServingStatus.ServiceUnknown, (await watch.NextAsync<HealthCheckResponse>()).Status);
    }

    [Fact]
    public async Task A_watcher_hears_of_loading_of_a_blocked_step_and_of_the_end()
    {
        var clock = new ManualClock();
        using var loading = new ManualResetEventSlim();
        var server = await TestServer.StartAsync(o => o with { DrainTime = TimeSpan.FromSeconds(10) }, _ => loading.Wait(), waits: false, time: clock);
        using var watch = await server.Grpc.OpenAsync(Watch, Frame(new HealthCheckRequest()));
        Assert.Equal(ServingStatus.NotServing, (await watch.NextAsync<HealthCheckResponse>()).Status);
        loading.Set();
        await server.Host.Loaded;
        Assert.Equal((ServingStatus.Serving, HttpStatusCode.OK), await ChangedAsync());

        server.Decoder.Gate.Reset();
        var blocked = server.Grpc.CallAsync(GrpcClient.Generate, new GenerateRequest { Model = "tiny", Prompt = "x", MaxTokens = 1 });
        await server.BusyAsync();
        clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal((ServingStatus.NotServing, HttpStatusCode.ServiceUnavailable), await ChangedAsync());
        server.Decoder.Gate.Set();
        Assert.Equal(StatusCode.Ok, (await blocked).Status);
        await server.IdleAsync();
        Assert.Equal((ServingStatus.Serving, HttpStatusCode.OK), await ChangedAsync());

        var stopping = server.StopAsync();
        var last = watch.NextAsync<HealthCheckResponse>();
        while (!last.IsCompleted)
            clock.Advance(TimeSpan.FromMilliseconds(500));
        Assert.Equal(ServingStatus.NotServing, (await last).Status);
        Assert.Null(await watch.NextAsync());
        Assert.Equal(StatusCode.Unavailable, watch.Ended([]).Status);
        await stopping;
        await server.DisposeAsync();

        async Task<(ServingStatus, HttpStatusCode)> ChangedAsync()
        {
            var next = watch.NextAsync<HealthCheckResponse>();
            clock.Advance(TimeSpan.FromMilliseconds(500));
            using var route = await server.GetAsync("/health/ready");
            return ((await next).Status, route.StatusCode);
        }
    }

    static byte[] Frame(IMessage message) => GrpcClient.Frame(message.ToByteArray());
}
