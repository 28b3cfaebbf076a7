using System.Net;
using System.Net.Http.Headers;

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

    static Task<HttpResponseMessage> AskAsync(TestServer server, string path, string? authorization)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return server.SendAsync(request);
    }
}
