using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Serving.Server.Grpc.Framing;

namespace Serving.Tests;

/// <summary>Every route there is, over either protocol, asks for a key, but those listed here.</summary>
public sealed partial class RouteTests
{
    static readonly string[] Open =
    [
        "GET /", "GET /playground/chat.js", "GET /playground/live.js", "GET /playground/page.css", "GET /playground/page.js",
        "GET /health", "GET /health/live", "GET /health/ready", "GET /metrics", "HEAD /health", "HEAD /health/live", "HEAD /health/ready",
        "POST /grpc.health.v1.Health/Check", "POST /grpc.health.v1.Health/List", "POST /grpc.health.v1.Health/Watch",
    ];

    [Fact]
    public async Task No_route_is_open_that_is_not_listed()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKeys = ["key"] });
        var open = new List<string>();
        foreach (var (method, path) in Routes(server))
        {
            var isOpen = path.StartsWith("/grpc.", StringComparison.Ordinal) || path.StartsWith("/serving.", StringComparison.Ordinal)
                ? await IsOpenCallAsync(server, path)
                : await IsOpenAsync(server, method, path);
            if (isOpen)
                open.Add($"{method} {path}");
        }
        Assert.Equal(Open.Order(), open.Order());
    }

    static List<(string Method, string Path)> Routes(TestServer server)
    {
        var routes = server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .SelectMany(route => Methods(route).Select(method => (method, Parameter().Replace("/" + route.RoutePattern.RawText!.TrimStart('/'), "x")))).ToList();
        Assert.Contains(("POST", "/v1/chat/completions"), routes);
        Assert.Contains(("POST", GrpcClient.Generate), routes);
        return routes;
    }

    static IReadOnlyList<string> Methods(RouteEndpoint route) => route.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET"];

    static async Task<bool> IsOpenAsync(TestServer server, string method, string path)
    {
        using var reply = await server.SendAsync(new(new(method), path));
        return reply.StatusCode != HttpStatusCode.Unauthorized;
    }

    static async Task<bool> IsOpenCallAsync(TestServer server, string path)
    {
        using var call = await server.Grpc.OpenAsync(path, GrpcClient.Frame([]));
        return call.Http.Headers.TryGetValues("grpc-status", out var status) is false || status!.Single() != $"{(int)StatusCode.Unauthenticated}";
    }

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Parameter();
}
