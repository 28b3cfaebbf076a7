using System.Net.Mime;

namespace Serving.Server.Playground;

/// <summary>
/// One light page at the root: a chat, and a live picture of cache and latency drawn from the metrics. Its files lie in the program and
/// hold nothing of a model or a caller, so they are open; what the page asks for brings the key that its user types.
/// </summary>
static class PlaygroundEndpoint
{
    /// <summary>Nothing but the page's own files and this server's answers.</summary>
    const string Policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    static readonly (string Path, string File, string Type)[] Files =
    [
        ("/", "index.html", MediaTypeNames.Text.Html),
        ("/playground/page.css", "page.css", MediaTypeNames.Text.Css),
        ("/playground/page.js", "page.js", MediaTypeNames.Text.JavaScript),
        ("/playground/chat.js", "chat.js", MediaTypeNames.Text.JavaScript),
        ("/playground/live.js", "live.js", MediaTypeNames.Text.JavaScript),
    ];

    /// <summary>Whether a path is one of the page's files.</summary>
    public static bool Owns(PathString path) => Files.Any(file => path == file.Path);

    public static void Map(IEndpointRouteBuilder routes)
    {
        foreach (var (path, file, type) in Files)
        {
            var content = Read(file);
            routes.MapGet(path, http =>
            {
                http.Response.ContentType = $"{type}; charset=utf-8";
                http.Response.ContentLength = content.Length;
                http.Response.Headers.ContentSecurityPolicy = Policy;
                http.Response.Headers.XContentTypeOptions = "nosniff";
                http.Response.Headers["Referrer-Policy"] = "no-referrer";
                http.Response.Headers.CacheControl = "no-cache";
                return http.Response.Body.WriteAsync(content, http.RequestAborted).AsTask();
            });
        }
    }

    static byte[] Read(string file)
    {
        using var stream = typeof(PlaygroundEndpoint).Assembly.GetManifestResourceStream($"playground.{file}")
            ?? throw new InvalidOperationException($"The page's file {file} is not in the program.");
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return content.ToArray();
    }
}
