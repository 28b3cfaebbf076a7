namespace Serving.Server.Http;

/// <summary>Whether the process lives, whether it can serve, and which build it is.</summary>
static class HealthEndpoints
{
    static readonly string[] Asked = ["GET", "HEAD"];

    public static void Map(IEndpointRouteBuilder routes, EngineHost host)
    {
        // Some watchers ask for the head alone.
        routes.MapMethods("/health/live", Asked, http => WriteAsync(http, StatusCodes.Status200OK, "live"));
        foreach (var path in (string[])["/health", "/health/ready"])
            routes.MapMethods(path, Asked, http => WriteAsync(http, host.State == "ready" ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, host.State));
        routes.MapGet("/version", http => http.Response.WriteAsJsonAsync(new(ServerVersion.Text), HttpJson.Plain.VersionBody));
    }

    static Task WriteAsync(HttpContext http, int status, string state)
    {
        http.Response.StatusCode = status;
        return http.Response.WriteAsJsonAsync(new(state), HttpJson.Plain.HealthBody);
    }
}
