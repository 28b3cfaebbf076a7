using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Serving.Server.Http;

/// <summary>Files and rules of TLS.</summary>
/// <param name="CertificateFile">The server's certificate and those between it and its root, as PEM.</param>
/// <param name="KeyFile">The certificate's key as PEM; the certificate's own file when null.</param>
/// <param name="AuthorityFile">Roots that client certificates must come from, as PEM; clients need none when null.</param>
/// <param name="ClientCertificates">Whether clients must show one.</param>
sealed record TlsOptions(string CertificateFile, string? KeyFile, string? AuthorityFile, ClientCertificateMode ClientCertificates);

/// <summary>HTTP/1.1 and HTTP/2 on one port under TLS, which negotiates between them.</summary>
static class TlsPort
{
    /// <summary>Throws an <see cref="ArgumentException"/> that names the file at fault.</summary>
    public static HttpsConnectionAdapterOptions Read(TlsOptions tls)
    {
        var chain = Certificates(tls.CertificateFile);
        return new()
        {
            ServerCertificate = Load(tls.KeyFile ?? tls.CertificateFile, key => X509Certificate2.CreateFromPemFile(tls.CertificateFile, key)),
            ServerCertificateChain = [.. chain.Skip(1)],
            ClientCertificateMode = tls.AuthorityFile is null ? ClientCertificateMode.NoCertificate : tls.ClientCertificates,
            ClientCertificateValidation = tls.AuthorityFile is { } file ? ComesFrom(file) : null,
        };
    }

    static Func<X509Certificate2, X509Chain?, System.Net.Security.SslPolicyErrors, bool> ComesFrom(string authorityFile)
    {
        var roots = Certificates(authorityFile);
        return (certificate, sent, _) =>
        {
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.CustomTrustStore.AddRange(roots);
            chain.ChainPolicy.ExtraStore.AddRange(sent?.ChainPolicy.ExtraStore ?? []);
            return chain.Build(certificate);
        };
    }

    static X509Certificate2Collection Certificates(string file) => Load(file, path =>
    {
        var certificates = new X509Certificate2Collection();
        certificates.ImportFromPemFile(path);
        return certificates.Count > 0 ? certificates : throw new CryptographicException("it holds no certificate.");
    });

    static T Load<T>(string file, Func<string, T> load)
    {
        try
        {
            return load(file);
        }
        catch (Exception error) when (error is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ArgumentException($"{file} cannot be used for TLS: {error.Message}", error);
        }
    }
}
