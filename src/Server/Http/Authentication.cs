using Serving.Server.Grpc;
using Serving.Server.Playground;

namespace Serving.Server.Http;

/// <summary>Asks every request for a bearer key, over HTTP and gRPC alike, but those for health and, unless they are guarded, metrics.</summary>
sealed class Authentication(ApiKeys keys, ServerOptions options)
{
    const string Scheme = "Bearer ";

    /// <summary>Throws a 401 or a 403 unless the request may go on; notes whose request it is.</summary>
    public void Check(HttpContext http)
    {
        if (!keys.AreNeeded || IsOpen(http.Request.Path))
            return;
        var header = http.Request.Headers.Authorization.ToString();
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            throw ApiException.NoKey();
        var key = keys.Find(header[Scheme.Length..].Trim()) ?? throw ApiException.BadKey();
        if (!key.Opens(http.Request.Path))
            throw ApiException.Forbidden(RequestValue.Shortened(http.Request.Path.ToString()));
        http.Features.Set(new Caller(Convert.ToHexString(key.Hash, 0, 8), options.SharesPrefixes));
    }

    bool IsOpen(PathString path) => path.StartsWithSegments("/health") || path.StartsWithSegments(GrpcServices.HealthPath)
        || PlaygroundEndpoint.Owns(path) || (!options.GuardsMetrics && path == "/metrics");
}

/// <summary>Who sent a request.</summary>
/// <param name="Id">A short hash of the key.</param>
/// <param name="SharesPrefixes">Whether its computed prefixes may serve other callers.</param>
sealed record Caller(string Id, bool SharesPrefixes)
{
    /// <summary>The salt of a request of this caller: keeps cached prefixes of different callers apart.</summary>
    public string Salt(string given) => SharesPrefixes ? given : $"{Id}/{given}";
}
