using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Serving.Protos;
using Serving.Server.Commands;
using Serving.Server.Http;

namespace Serving.Tests;

/// <summary>TLS with certificates made here: one port, both protocols, and clients that must show who they are.</summary>
public sealed class TlsTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("serving-tls-").FullName;
    readonly X509Certificate2 _root = Root("the root");

    [Fact]
    public async Task Both_protocols_are_served_under_TLS()
    {
        await using var server = await StartAsync(authority: null);
        using var client = Client(certificate: null);
        using var old = await client.GetAsync(new Uri(server.Address, "/v1/models"), Stop);
        Assert.Equal((HttpStatusCode.OK, HttpVersion.Version11), (old.StatusCode, old.Version));
        using var grpc = new GrpcClient(server.Address, Handler(certificate: null));
        Assert.Equal(2, (await grpc.CallAsync("/serving.v1.Generation/Tokenize", new TokenizeRequest { Prompt = "ab" })).Only<TokenizeReply>().Tokens.Count);
    }

    [Fact]
    public async Task A_client_must_show_a_certificate_of_the_authority()
    {
        await using var server = await StartAsync(Write("root.pem", _root.ExportCertificatePem()));
        using var known = Client(Issued("a client", _root));
        Assert.Equal(HttpStatusCode.OK, (await known.GetAsync(new Uri(server.Address, "/health"), Stop)).StatusCode);
        using var nobody = Client(certificate: null);
        await Assert.ThrowsAsync<HttpRequestException>(() => nobody.GetAsync(new Uri(server.Address, "/health"), Stop));
        using var other = Root("another root");
        using var stranger = Client(Issued("a stranger", other));
        await Assert.ThrowsAsync<HttpRequestException>(() => stranger.GetAsync(new Uri(server.Address, "/health"), Stop));
    }

    [Fact]
    public async Task Files_that_change_are_read_anew_and_a_broken_one_is_left_alone()
    {
        var clock = new ManualClock();
        await using var server = await StartAsync(authority: null, clock);
        Assert.Equal("CN=the server", await SubjectAsync(server));
        var renewed = Issued("the server renewed", _root);
        Write("server.pem", renewed.ExportCertificatePem());
        clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("CN=the server", await SubjectAsync(server));
        Write("key.pem", renewed.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("CN=the server renewed", await SubjectAsync(server));
        Write("key.pem", "nothing");
        clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("CN=the server renewed", await SubjectAsync(server));
    }

    [Fact]
    public async Task Health_is_asked_for_under_TLS_with_a_root_or_the_certificate_itself_and_a_certificate_of_ones_own()
    {
        await using var server = await StartAsync(Write("root.pem", _root.ExportCertificatePem()));
        var client = Issued("a client", _root);
        var (shown, key) = (Write("client.pem", client.ExportCertificatePem()), Write("client.key", client.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()));
        Assert.Equal(0, await HealthCommand.AskAsync(server.Address.ToString(), HealthCommand.Tls(Path.Combine(_folder, "root.pem"), shown, key), Stop));
        Assert.Equal(0, await HealthCommand.AskAsync(server.Address.ToString(), HealthCommand.Tls(Path.Combine(_folder, "server.pem"), shown, key), Stop));
        Assert.Equal(1, await HealthCommand.AskAsync(server.Address.ToString(), HealthCommand.Tls(Path.Combine(_folder, "root.pem"), null, null), Stop));
        Assert.Equal(1, await HealthCommand.AskAsync(server.Address.ToString(), HealthCommand.Tls(null, shown, key), Stop));
        Assert.Equal(1, await HealthCommand.AskAsync(server.Address.ToString(), HealthCommand.Tls(shown, shown, key), Stop));
    }

    [Fact]
    public async Task A_file_that_is_no_certificate_ends_the_start()
    {
        var options = new TlsOptions(Write("none.pem", "nothing"), null, null, ClientCertificateMode.NoCertificate);
        var error = await Assert.ThrowsAsync<ArgumentException>(() => TestServer.StartAsync(o => o with { Tls = options }));
        Assert.Contains("none.pem", error.Message);
    }

    public void Dispose()
    {
        _root.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Whose certificate a new connection is shown.</summary>
    static async Task<string> SubjectAsync(TestServer server)
    {
        using var connection = new TcpClient();
        await connection.ConnectAsync(server.Address.Host, server.Address.Port, Stop);
        await using var tls = new SslStream(connection.GetStream(), false, (_, shown, _, _) => shown is not null);
        await tls.AuthenticateAsClientAsync("localhost");
        return tls.RemoteCertificate!.Subject;
    }

    Task<TestServer> StartAsync(string? authority, TimeProvider? time = null)
    {
        var own = Issued("the server", _root);
        var options = new TlsOptions(Write("server.pem", own.ExportCertificatePem()), Write("key.pem", own.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()),
            authority, ClientCertificateMode.RequireCertificate);
        return TestServer.StartAsync(o => o with { Tls = options }, _ => { }, time: time);
    }

    HttpClient Client(X509Certificate2? certificate) => new(Handler(certificate)) { Timeout = TimeSpan.FromSeconds(10) };

    /// <summary>Trusts the root alone.</summary>
    SocketsHttpHandler Handler(X509Certificate2? certificate)
    {
        var handler = new SocketsHttpHandler();
        handler.SslOptions.CertificateChainPolicy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.Add(_root);
        handler.SslOptions.ClientCertificates = certificate is null ? null : [certificate];
        return handler;
    }

    string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    static X509Certificate2 Root(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        return request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
    }

    static X509Certificate2 Issued(string name, X509Certificate2 root)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        return request.Create(root, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200), RandomNumberGenerator.GetBytes(8)).CopyWithPrivateKey(key);
    }
}
