using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Serving.Protos;

namespace Serving.Tests;

public sealed class AuthenticationTests
{
    [Fact]
    public async Task A_key_opens_every_route_and_its_absence_none_but_health_and_metrics()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKeys = ["sk-one", "sk-two"] });
        using var none = await AskAsync(server, "/v1/models", null);
        await ErrorTests.Check(none, 401, null, null);
        Assert.Equal("Bearer", none.Headers.WwwAuthenticate.ToString());
        using var bad = await AskAsync(server, "/v1/models", "Bearer sk-on");
        await ErrorTests.Check(bad, 401, null, "invalid_api_key");
        using var unknown = await AskAsync(server, "/nowhere", null);
        Assert.Equal(HttpStatusCode.Unauthorized, unknown.StatusCode);
        foreach (var (path, key) in ((string, string?)[])[("/v1/models", "Bearer sk-one"), ("/v1/models", "bearer sk-two"), ("/health", null), ("/metrics", null)])
        {
            using var reply = await AskAsync(server, path, key);
            Assert.Equal(HttpStatusCode.OK, reply.StatusCode);
        }
    }

    [Fact]
    public async Task A_key_of_the_file_may_open_some_paths_alone()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, $"all\nsome /v1/models /serving.v1.Generation/Models\nsha256:{Convert.ToHexStringLower(SHA256.HashData("hashed"u8))} /v1/\n", TestContext.Current.CancellationToken);
        await using var server = await TestServer.StartAsync(o => o with { ApiKeyFile = file });
        foreach (var (key, path, status) in ((string, string, int)[])[("all", "/version", 200), ("some", "/v1/models", 200), ("some", "/v1/models/tiny", 200), ("some", "/version", 403), ("some", "/v1/modelsx", 403), ("hashed", "/v1/models", 200), ("hashed", "/version", 403)])
        {
            using var reply = await AskAsync(server, path, $"Bearer {key}");
            Assert.Equal((path, status), (path, (int)reply.StatusCode));
            if (status == 403)
                Assert.Contains("\"permission_error\"", await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }
        Assert.Equal(Server.Grpc.Framing.StatusCode.Ok, (await server.Grpc.CallAsync("/serving.v1.Generation/Models", new ModelsRequest(), ("authorization", "Bearer some"))).Status);
        Assert.Equal(Server.Grpc.Framing.StatusCode.PermissionDenied, (await server.Grpc.CallAsync("/serving.v1.Generation/Tokenize", new TokenizeRequest { Prompt = "a" }, ("authorization", "Bearer some"))).Status);
        await File.WriteAllTextAsync(file, "key paths\n", TestContext.Current.CancellationToken);
        Assert.Contains("followed by 'paths'", (await Assert.ThrowsAsync<ArgumentException>(() => TestServer.StartAsync(o => o with { ApiKeyFile = file }))).Message);
        File.Delete(file);
    }

    [Fact]
    public async Task Metrics_may_be_guarded_too()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKeys = ["k"], GuardsMetrics = true });
        using var reply = await AskAsync(server, "/metrics", null);
        Assert.Equal(HttpStatusCode.Unauthorized, reply.StatusCode);
    }

    [Fact]
    public async Task Keys_do_not_share_cached_prefixes()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKeys = ["a", "b"] });
        var body = $$"""{"model": "tiny", "prompt": "{{new string('q', 64)}}", "max_tokens": 1}""";
        Assert.Equal(0, await CachedAsync("a"));
        Assert.Equal(48, await CachedAsync("a"));
        Assert.Equal(0, await CachedAsync("b"));

        async Task<int> CachedAsync(string key)
        {
            server.Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
            var reply = await server.JsonAsync("/v1/completions", body);
            return reply.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32();
        }
    }

    [Fact]
    public async Task Keys_share_cached_prefixes_where_the_operator_says_so()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKeys = ["a", "b"], SharesPrefixes = true });
        var request = new GenerateRequest { Model = "tiny", Prompt = new string('q', 64), MaxTokens = 1 };
        Assert.Equal(0u, await CachedAsync("a"));
        Assert.Equal(48u, await CachedAsync("b"));

        async Task<uint> CachedAsync(string key) =>
            (await server.Grpc.CallAsync(GrpcClient.Generate, request, ("authorization", $"Bearer {key}"))).All<GenerateReply>()[0].Started.CachedTokens;
    }

    [Fact]
    public async Task Over_gRPC_keys_do_not_share_cached_prefixes_either()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKeys = ["a", "b"] });
        var request = new GenerateRequest { Model = "tiny", Prompt = new string('q', 64), MaxTokens = 1 };
        foreach (var (key, cached) in ((string, uint)[])[("a", 0), ("a", 48), ("b", 0)])
            Assert.Equal(cached, (await server.Grpc.CallAsync(GrpcClient.Generate, request, ("authorization", $"Bearer {key}"))).All<GenerateReply>()[0].Started.CachedTokens);
    }

    [Fact]
    public async Task Keys_of_a_file_change_while_the_server_runs()
    {
        var file = Path.GetTempFileName();
        try
        {
            var clock = new ManualClock();
            await File.WriteAllTextAsync(file, "# one of us\nfirst\n", Stop);
            await using var server = await TestServer.StartAsync(o => o with { ApiKeyFile = file, ApiKeys = ["fixed"] }, _ => { }, time: clock);
            Assert.Equal("first fixed", await OpenersAsync(server));
            var hash = Convert.ToHexString(SHA256.HashData("second"u8));
            await File.WriteAllTextAsync(file, $"sha256:{hash}\n", Stop);
            Assert.Equal("first fixed", await OpenersAsync(server));
            clock.Advance(TimeSpan.FromSeconds(2));
            Assert.Equal("second fixed", await OpenersAsync(server));
            await File.WriteAllTextAsync(file, "sha256:abc\n", Stop);
            clock.Advance(TimeSpan.FromSeconds(2));
            Assert.Equal("second fixed", await OpenersAsync(server));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_file_without_keys_lets_nobody_in()
    {
        var file = Path.GetTempFileName();
        try
        {
            await using var server = await TestServer.StartAsync(o => o with { ApiKeyFile = file });
            Assert.Equal("", await OpenersAsync(server));
            using var none = await AskAsync(server, "/v1/models", null);
            Assert.Equal(HttpStatusCode.Unauthorized, none.StatusCode);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_key_file_that_is_not_there_ends_the_start() =>
        await Assert.ThrowsAnyAsync<IOException>(() => TestServer.StartAsync(o => o with { ApiKeyFile = "/nowhere/keys" }));

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    static async Task<string> OpenersAsync(TestServer server)
    {
        var opening = new List<string>();
        foreach (var key in (string[])["first", "second", "fixed"])
        {
            using var reply = await AskAsync(server, "/v1/models", $"Bearer {key}");
            if (reply.IsSuccessStatusCode)
                opening.Add(key);
        }
        return string.Join(' ', opening);
    }

    static Task<HttpResponseMessage> AskAsync(TestServer server, string path, string? authorization)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return server.SendAsync(request);
    }
}
