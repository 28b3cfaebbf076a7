using System.CommandLine;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Serving.Server.Http;

namespace Serving.Server.Commands;

/// <summary>health: asks a server whether it is ready and says so by the exit code, for containers without curl.</summary>
static class HealthCommand
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var url = new Argument<string>("url") { Description = "The server's address; from the server's own settings in the environment when left out.", DefaultValueFactory = _ => DefaultUrl() };
        var trusted = new Option<string?>("--cacert") { Description = "PEM file of roots to trust, or of the server's own certificate, whatever name it has.", HelpName = "file", DefaultValueFactory = _ => Default(Settings.SslCertfile) };
        var certificate = new Option<string?>("--cert") { Description = "PEM file of a certificate to show.", HelpName = "file" };
        var key = new Option<string?>("--key") { Description = "PEM file of its key, where that is not in the same file.", HelpName = "file" };
        var command = new Command("health", "Exits with 0 when a server is ready to answer, with 1 when it is not.") { url, trusted, certificate, key };
        command.SetAction((parsed, cancellation) => AskAsync(parsed.GetValue(url)!, Tls(parsed.GetValue(trusted), parsed.GetValue(certificate), parsed.GetValue(key)), cancellation));
        return command;
    }

    /// <summary>Asks a server; 0 where it is ready.</summary>
    public static async Task<int> AskAsync(string url, SslClientAuthenticationOptions tls, CancellationToken cancellation)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var server) || server.Scheme is not ("http" or "https"))
            throw new SettingException($"'{url}' is not an address; give one such as http://127.0.0.1:8080.");
        using var client = new HttpClient(new SocketsHttpHandler { SslOptions = tls }) { Timeout = Patience };
        try
        {
            using var reply = await client.GetAsync(new Uri(server, "/health/ready"), cancellation);
            Console.WriteLine(await reply.Content.ReadAsStringAsync(cancellation));
            return reply.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
        {
            await Console.Error.WriteLineAsync($"serving: {server} does not answer: {error.InnerException?.Message ?? error.Message}");
            return 1;
        }
    }

    /// <summary>Whom to trust beside the system's roots, and what to show.</summary>
    public static SslClientAuthenticationOptions Tls(string? trusted, string? certificate, string? key)
    {
        var options = new SslClientAuthenticationOptions();
        if (trusted is not null)
            options.RemoteCertificateValidationCallback = Trusting(TlsPort.Certificates(trusted));
        if (certificate is not null)
            options.ClientCertificateContext = SslStreamCertificateContext.Create(
                TlsPort.Load(key ?? certificate, file => X509Certificate2.CreateFromPemFile(certificate, file)), [.. TlsPort.Certificates(certificate).Skip(1)], offline: true);
        else if (key is not null)
            throw new SettingException("--key needs --cert beside it.");
        return options;
    }

    static RemoteCertificateValidationCallback Trusting(X509Certificate2Collection trusted) => (_, shown, sent, errors) =>
    {
        if (errors == SslPolicyErrors.None || shown is not X509Certificate2 certificate)
            return errors == SslPolicyErrors.None;
        if (trusted.Any(own => own.RawData.AsSpan().SequenceEqual(certificate.RawData)))
            return true;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.AddRange(trusted);
        chain.ChainPolicy.ExtraStore.AddRange(sent?.ChainPolicy.ExtraStore ?? []);
        return errors == SslPolicyErrors.RemoteCertificateChainErrors && chain.Build(certificate);
    };

    static string DefaultUrl() => $"{(Default(Settings.SslCertfile) is null ? "http" : "https")}://127.0.0.1:{Environmental().Integer(Settings.Port, 1, ushort.MaxValue)}";

    static string? Default(Setting setting) => Environmental().Text(setting);

    static SettingReader Environmental() => new(new Dictionary<string, string[]>(), Environment.GetEnvironmentVariable);
}
