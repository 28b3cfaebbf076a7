namespace Serving.Server.Metrics;

/// <summary>GET /metrics: what the meters say, in the format the scraper asks for.</summary>
static class MetricsEndpoint
{
    const string OpenMetrics = "application/openmetrics-text";

    public static void Map(IEndpointRouteBuilder routes, MetricStore store, EngineHost host) => routes.MapGet("/metrics", async http =>
    {
        var open = http.Request.Headers.Accept.ToString().Contains(OpenMetrics, StringComparison.OrdinalIgnoreCase);
        http.Response.ContentType = open ? OpenMetrics + "; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8";
        await http.Response.WriteAsync(PrometheusText.Print(store.Collect(), open, NameOf(host)), http.RequestAborted);
    });

    static string NameOf(EngineHost host) => host.Loaded.IsCompletedSuccessfully ? host.Loaded.Result.Ids[0] : "";
}
