using System.Security.Cryptography;
using System.Text;
using Serving.Server.Grpc;

namespace Serving.Server.Http;

/// <summary>Checks bearer keys; keys are kept as SHA-256 hashes, and every hash is compared whatever the first ones say.</summary>
sealed class Authentication(IEnumerable<string> keys, bool guardsMetrics)
{
    const string Scheme = "Bearer ";

    readonly byte[][] _hashes = [.. keys.Select(Hash)];

    /// <summary>Throws a 401 unless the request may go on; notes whose request it is.</summary>
    public void Check(HttpContext http)
    {
        if (_hashes.Length == 0 || IsOpen(http.Request.Path))
            return;
        var header = http.Request.Headers.Authorization.ToString();
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            throw ApiException.NoKey();
        var given = Hash(header[Scheme.Length..].Trim());
        var known = false;
        foreach (var hash in _hashes)
            known |= CryptographicOperations.FixedTimeEquals(hash, given);
        if (!known)
            throw ApiException.BadKey();
        http.Features.Set(new Caller(Convert.ToHexString(given, 0, 8)));
    }

    bool IsOpen(PathString path) => path.StartsWithSegments("/health") || path.StartsWithSegments(GrpcServices.HealthPath) || (!guardsMetrics && path == "/metrics");

    static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

/// <summary>Who sent a request: a short hash of the key, which keeps callers' cached prefixes apart.</summary>
sealed record Caller(string Id);
