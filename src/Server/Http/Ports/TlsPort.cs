using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Serving.Server.Http;

/// <summary>Files and rules of TLS.</summary>
/// <param name="CertificateFile">The server's certificate and those between it and its root, as PEM.</param>
/// <param name="KeyFile">The certificate's key as PEM; the certificate's own file when null.</param>
/// <param name="AuthorityFile">Roots that client certificates must come from, as PEM; clients need none when null.</param>
/// <param name="ClientCertificates">Whether clients must show one.</param>
sealed record TlsOptions(string CertificateFile, string? KeyFile, string? AuthorityFile, ClientCertificateMode ClientCertificates);

/// <summary>
/// HTTP/1.1 and HTTP/2 on one port under TLS, which negotiates between them. The files may change while the server runs: new connections get what
/// they hold, or what they held when that cannot be used.
/// </summary>
sealed class TlsPort
{
    /// <summary>How long a change of the files may go unnoticed.</summary>
    static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    readonly TlsOptions _tls;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly string[] _files;
    readonly Lock _reading = new();
    volatile SslServerAuthenticationOptions _options;
    byte[][] _contents;
    long _read;

    /// <summary>Reads the files; throws an <see cref="ArgumentException"/> that names the one at fault.</summary>
    public TlsPort(TlsOptions tls, TimeProvider time, ILogger logger)
    {
        (_tls, _time, _logger) = (tls, time, logger);
        _files = [.. new[] { tls.CertificateFile, tls.KeyFile, tls.AuthorityFile }.OfType<string>()];
        _contents = [.. _files.Select(file => Load(file, File.ReadAllBytes))];
        _options = Read();
        _read = time.GetTimestamp();
    }

    /// <summary>What a connection that begins now is greeted with.</summary>
    public SslServerAuthenticationOptions Options()
    {
        if (_time.GetElapsedTime(Volatile.Read(ref _read)) >= Interval)
            lock (_reading)
                if (_time.GetElapsedTime(_read) >= Interval)
                    ReadAgain();
        return _options;
    }

    void ReadAgain()
    {
        Volatile.Write(ref _read, _time.GetTimestamp());
        try
        {
            byte[][] contents = [.. _files.Select(file => Load(file, File.ReadAllBytes))];
            if (contents.Zip(_contents).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second)))
                return;
            _options = Read();
            _contents = contents;
            ServerLog.CertificateRead(_logger, _tls.CertificateFile);
        }
        catch (ArgumentException error)
        {
            ServerLog.CertificateNotRead(_logger, error.Message);
        }
    }

    SslServerAuthenticationOptions Read()
    {
        var chain = Certificates(_tls.CertificateFile);
        var own = Load(_tls.KeyFile ?? _tls.CertificateFile, key => X509Certificate2.CreateFromPemFile(_tls.CertificateFile, key));
        var mode = _tls.AuthorityFile is null ? ClientCertificateMode.NoCertificate : _tls.ClientCertificates;
        return new()
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(own, [.. chain.Skip(1)], offline: true),
            ClientCertificateRequired = mode != ClientCertificateMode.NoCertificate,
            RemoteCertificateValidationCallback = mode == ClientCertificateMode.NoCertificate ? null
                : ComesFrom(Certificates(_tls.AuthorityFile!), isNeeded: mode == ClientCertificateMode.RequireCertificate),
        };
    }

    static RemoteCertificateValidationCallback ComesFrom(X509Certificate2Collection roots, bool isNeeded) => (_, shown, sent, _) =>
    {
        if (shown is not X509Certificate2 certificate)
            return !isNeeded;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.AddRange(roots);
        chain.ChainPolicy.ExtraStore.AddRange(sent?.ChainPolicy.ExtraStore ?? []);
        return chain.Build(certificate);
    };

    /// <summary>The certificates of a PEM file; throws an <see cref="ArgumentException"/> that names it where there are none.</summary>
    public static X509Certificate2Collection Certificates(string file) => Load(file, path =>
    {
        var certificates = new X509Certificate2Collection();
        certificates.ImportFromPemFile(path);
        return certificates.Count > 0 ? certificates : throw new CryptographicException("it holds no certificate.");
    });

    /// <summary>What a file of TLS holds; throws an <see cref="ArgumentException"/> that names it where that cannot be used.</summary>
    public static T Load<T>(string file, Func<string, T> load)
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
