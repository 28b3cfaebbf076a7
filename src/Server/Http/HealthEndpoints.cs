namespace Serving.Server.Http;

/// <summary>Whether the process lives, whether it can serve, and which build it is.</summary>
static class HealthEndpoints
{
    public static void Map(IEndpointRouteBuilder routes, EngineHost host)
    {
        routes.MapGet("/health/live", http => WriteAsync(http, StatusCodes.Status200OK, "live"));
        foreach (var path in (string[])["/health", "/health/ready"])
            routes.MapGet(path, http => WriteAsync(http, host.State == "ready" ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, host.State));
        routes.MapGet("/version", http => http.Response.WriteAsJsonAsync(new(ServerVersion.Text), HttpJson.Default.VersionBody));
    }

    static Task WriteAsync(HttpContext http, int status, string state)
    {
        http.Response.StatusCode = status;
        return http.Response.WriteAsJsonAsync(new(state), HttpJson.Default.HealthBody);
    }
}
