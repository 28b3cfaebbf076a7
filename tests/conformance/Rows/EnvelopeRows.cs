using System.Globalization;

namespace Serving.Conformance.Rows;

/// <summary>Part 1: statuses, the error envelope and the headers that every reply has.</summary>
static class EnvelopeRows
{
    static readonly string Deep = new('[', 5000);

    static readonly Section Bodies = new("1 Envelope and status codes", Ask.Chat)
    {
        { "a body that is not JSON, with the place", """{"model": """, 400, null, null, "line 1" },
        { "an empty body", "", 400, null, null },
        { "a body nested without end", Deep, 400, null, null },
        { "a body that is no object", "[]", 400, null, "invalid_type" },
        { "a required field is missing", "{}", 400, "model", "missing_required_parameter" },
        { "a wrong JSON type, with its path", Ask.Saying("""[{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "user", "content": 5}]"""), 400, "messages[2].content", "invalid_type" },
        { "an integer below its range", Ask.Chatting(""" "n": 0 """), 400, "n", "integer_below_min_value" },
        { "an integer above its range", Ask.Chatting(""" "top_logprobs": 21, "logprobs": true """), 400, "top_logprobs", "integer_above_max_value" },
        { "a number below its range", Ask.Chatting(""" "temperature": -0.1 """), 400, "temperature", "decimal_below_min_value" },
        { "a number above its range", Ask.Chatting(""" "top_p": 1.1 """), 400, "top_p", "decimal_above_max_value" },
        { "a number too large for any type", Ask.Chatting(""" "temperature": 1e999 """), 400, "temperature", "decimal_above_max_value" },
        { "a list too long", Ask.Chatting(""" "stop": ["a", "b", "c", "d", "e"] """), 400, "stop", "array_above_max_length" },
        { "an empty list", Ask.Saying("[]"), 400, "messages", "empty_array" },
        { "a string too long", Ask.Chatting($$""" "metadata": {"a": "{{new string('x', 513)}}"} """), 400, "metadata.a", "string_above_max_length" },
        { "an empty string", Ask.Chatting(""" "stop": "" """), 400, "stop", "empty_string" },
        { "a value that is none of an enumeration", Ask.Chatting(""" "service_tier": "gold" """), 400, "service_tier", "invalid_value" },
        { "a field of the protocol that is not served", Ask.Chatting(""" "functions": [] """), 400, "functions", "unsupported_parameter" },
        { "half a surrogate pair", Ask.Saying("""[{"role": "user", "content": "\ud800"}]"""), 400, "messages[0].content", "invalid_value" },
        { "a prompt and answer over the context, with both numbers", Ask.Chatting(""" "max_tokens": 2000000 """), 400, "messages", "context_length_exceeded", "2000000" },
        { "a model that is not there", """{"model": "nobody", "messages": []}""", 404, "model", "model_not_found" },
        { "an unknown field is ignored and listed", Ask.Chatting(""" "zeta": 1, "stream_options": null """), reply => Assert.Equal("zeta", reply.Header("x-ignored-parameters")) },
        { "an unknown field in strict mode", Ask.Chatting(""" "zeta": 1 """), 400, "zeta", "unknown_parameter", Setup.Strict },
        { "a body over the limit", Ask.Chatting($$""" "zeta": "{{new string('x', 2000)}}" """), 413, null, "request_too_large", Setup.Small },
        { "while the model loads", Ask.Chatting(), 503, null, "model_loading", Setup.Loading },
        { "no key", Ask.Chatting(), 401, null, null, Setup.Keyed },
    };

    static readonly Section Requests = new("1 Requests and headers", Ask.Chat)
    {
        { "an unknown URL", "404 `unknown_url`", async target => (await target.GetAsync("/v1/nothing")).CheckRefused(404, null, "unknown_url") },
        { "a method that is not served", "405 `method_not_supported`, `Allow`", async target =>
            Assert.Equal("POST", (await target.GetAsync(Ask.Chat)).CheckRefused(405, null, "method_not_supported").Header("Allow")) },
        { "a body that does not say it is JSON", "415 `unsupported_media_type`", async target =>
            (await target.SendAsync(HttpMethod.Post, Ask.Chat, Ask.Chatting(), [], "text/plain")).CheckRefused(415, null, "unsupported_media_type") },
        { "a bad key", "401 `invalid_api_key`, `WWW-Authenticate: Bearer`", async target =>
            Assert.Equal("Bearer", (await target.PostAsync(Ask.Chat, Ask.Chatting(), ("Authorization", "Bearer wrong"))).CheckRefused(401, null, "invalid_api_key").Header("WWW-Authenticate")), Setup.Keyed },
        { "the right key", "200", async target => (await target.PostAsync(Ask.Chat, Ask.Chatting(), ("Authorization", $"Bearer {Target.Key}"))).CheckStatus(200), Setup.Keyed },
        { "a key that is not allowed for the route", "403", async target =>
        {
            (await target.GetAsync("/v1/models", ("Authorization", $"Bearer {Target.Key}"))).CheckStatus(200);
            (await target.PostAsync(Ask.Chat, Ask.Chatting(), ("Authorization", $"Bearer {Target.Key}"))).CheckRefused(403, null, null);
        }, Setup.Limited },
        { "an answer says how much more may be asked", "`x-ratelimit-limit-*`, `x-ratelimit-remaining-*`, `x-ratelimit-reset-*` of requests and tokens", async target =>
        {
            var reply = (await target.PostAsync(Ask.Chat, Ask.Chatting())).CheckStatus(200);
            foreach (var what in (string[])["requests", "tokens"])
            {
                var limit = long.Parse(reply.Header("x-ratelimit-limit-" + what), CultureInfo.InvariantCulture);
                Assert.InRange(long.Parse(reply.Header("x-ratelimit-remaining-" + what), CultureInfo.InvariantCulture), 0, limit);
                Assert.Matches("^[0-9.]+m?s$", reply.Header("x-ratelimit-reset-" + what));
            }
        } },
        { "health needs no key", "200", async target => (await target.GetAsync("/health/ready")).CheckStatus(200), Setup.Keyed },
        { "loading says when to come back", "`Retry-After`", async target =>
            Assert.InRange(int.Parse((await target.PostAsync(Ask.Chat, Ask.Chatting())).Header("Retry-After"), CultureInfo.InvariantCulture), 1, 60), Setup.Loading },
        { "a client's own request id comes back", "`x-request-id`", async target =>
            Assert.Equal("a-1.b_2", (await target.GetAsync("/v1/models", ("X-Request-Id", "a-1.b_2"))).Header("x-request-id")) },
        { "an unsafe request id does not", "`x-request-id`", async target =>
            Assert.NotEqual("a b", (await target.GetAsync("/v1/models", ("X-Request-Id", "a b"))).CheckStatus(200).Header("x-request-id")) },
        { "the time is told", "`openai-processing-ms`", async target =>
            Assert.InRange(int.Parse((await target.PostAsync(Ask.Chat, Ask.Chatting())).Header("openai-processing-ms"), CultureInfo.InvariantCulture), 0, 120_000) },
        { "a full queue", "429 `rate_limit_exceeded`, `Retry-After`, `retry-after-ms`, `x-ratelimit-*`", FullQueueAsync, Setup.Narrow },
        { "a deadline that passes while waiting", "408 `request_timeout`", target => WhileBusyAsync(target, async () =>
            (await target.PostAsync(Ask.Chat, Ask.Chatting(), ("x-request-timeout-ms", "100"))).CheckRefused(408, null, "request_timeout")), Setup.Narrow },
        { "a deadline that passes amid a stream", "an error frame, then no [DONE]", async target => await Assert.ThrowsAnyAsync<HttpRequestException>(() =>
            target.PostAsync(Ask.Chat, Endless, ("x-request-timeout-ms", "500"))) },
        { "a deadline that is none", "400 `invalid_value` at `x-request-timeout-ms`", async target =>
            (await target.PostAsync(Ask.Chat, Ask.Chatting(), ("x-request-timeout-ms", "soon"))).CheckRefused(400, "x-request-timeout-ms", "invalid_value") },
        { "ignored fields are counted", "`serving_http_ignored_parameters_total` grows", async target =>
        {
            var before = await CountAsync(target);
            await target.PostAsync(Ask.Chat, Ask.Chatting(""" "zeta": 1 """));
            Assert.True(await CountAsync(target) > before);
        } },
    };

    public static IEnumerable<Row> All => [.. Bodies, .. Requests];

    static string Endless => Ask.Chatting(""" "stream": true, "max_tokens": 1900, "ignore_eos": true """);

    static Task FullQueueAsync(Target target) => WhileBusyAsync(target, async () =>
    {
        var waiting = target.PostAsync(Ask.Chat, Ask.Chatting(), ("x-request-timeout-ms", "3000"));
        Reply refused;
        do
            refused = await target.PostAsync(Ask.Chat, Ask.Chatting(), ("x-request-timeout-ms", "20"));
        while (refused.Status == 408);
        refused.CheckRefused(429, null, "rate_limit_exceeded");
        Assert.InRange(int.Parse(refused.Header("Retry-After"), CultureInfo.InvariantCulture), 1, 60);
        Assert.Equal(refused.Header("Retry-After") + "000", refused.Header("retry-after-ms"));
        Assert.Equal(("1", "0"), (refused.Header("x-ratelimit-limit-requests"), refused.Header("x-ratelimit-remaining-requests")));
        await waiting;
    });

    /// <summary>Does something while a stream takes all that the server can do.</summary>
    static async Task WhileBusyAsync(Target target, Func<Task> act)
    {
        var stop = TestContext.Current.CancellationToken;
        using var request = target.Message(HttpMethod.Post, Ask.Chat, Endless, []);
        using var reply = await target.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
        using var lines = new StreamReader(await reply.Content.ReadAsStreamAsync(stop));
        Assert.StartsWith("data: ", await lines.ReadLineAsync(stop));
        await act();
    }

    static async Task<double> CountAsync(Target target)
    {
        const string Name = "serving_http_ignored_parameters_total ";
        var line = (await target.GetAsync("/metrics")).Body.Split('\n').FirstOrDefault(l => l.StartsWith(Name, StringComparison.Ordinal));
        return line is null ? 0 : double.Parse(line[Name.Length..], CultureInfo.InvariantCulture);
    }
}
