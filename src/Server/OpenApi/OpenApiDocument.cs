using System.Text.Json.Nodes;

namespace Serving.Server.OpenApi;

/// <summary>GET /openapi.json: the interface as a document, kept beside the code; a test compares it with what requests are asked for.</summary>
static class OpenApiDocument
{
    /// <summary>The document with this build's version in it.</summary>
    public static byte[] Text { get; } = Read();

    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/openapi.json", http =>
    {
        http.Response.ContentType = "application/json";
        return http.Response.Body.WriteAsync(Text, http.RequestAborted).AsTask();
    });

    static byte[] Read()
    {
        using var file = typeof(OpenApiDocument).Assembly.GetManifestResourceStream("openapi.json")!;
        var document = JsonNode.Parse(file)!;
        document["info"]!["version"] = ServerVersion.Text;
        return System.Text.Encoding.UTF8.GetBytes(document.ToJsonString());
    }
}
