using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Serving.Server;
using Serving.Server.Commands;

namespace Serving.Tests;

/// <summary>Every model fixture served over HTTP as a user would serve it: the answers are those of the reference libraries.</summary>
public sealed class EveryModelTests
{
    /// <summary>Prompts with images, which are not served, are refused; the others are answered.</summary>
    [Theory, MemberData(nameof(ModelFixtures.All), MemberType = typeof(ModelFixtures))]
    public async Task A_served_checkpoint_answers_with_the_golden_ids(string fixture)
    {
        var options = new ServerOptions
        {
            Model = ModelFixtures.PathOf(fixture),
            Port = 0,
            LogLevel = LogLevel.None,
            Engine = new() { Device = "cpu", CacheDtype = "float32", CacheBytes = 16 << 20 },
        };
        await using var app = ServerApp.Build(options, ModelLoading.Load);
        await app.StartAsync(TestContext.Current.CancellationToken);
        await app.Services.GetRequiredService<EngineHost>().Loaded;
        using var client = new HttpClient { BaseAddress = new(app.Urls.First()) };
        var images = ModelFixtures.ImageIds(fixture);
        var given = ModelFixtures.Golden(fixture).ToLookup(test => test.Prompt.Any(images.Contains));
        foreach (var (prompt, _) in given[true]) Assert.Contains("images are not served", await RefusalAsync(client, fixture, prompt));
        (int[] Prompt, int[] Answer)[] cases = [.. given[false]];
        Assert.NotEmpty(cases);
        var answers = await Task.WhenAll(cases.Select(test => AnswerAsync(client, fixture, test.Prompt, test.Answer.Length)));
        Assert.Equal(cases.Select(test => test.Answer), answers);
        await app.StopAsync(TestContext.Current.CancellationToken);
    }

    static async Task<string> RefusalAsync(HttpClient client, string fixture, int[] prompt)
    {
        using var reply = await client.PostAsJsonAsync("/v1/completions", new { model = Path.GetFileName(fixture), prompt, max_tokens = 1 });
        Assert.Equal(HttpStatusCode.BadRequest, reply.StatusCode);
        return await reply.Content.ReadAsStringAsync();
    }

    static async Task<int[]> AnswerAsync(HttpClient client, string fixture, int[] prompt, int tokens)
    {
        using var reply = await client.PostAsJsonAsync("/v1/completions", new
        {
            model = Path.GetFileName(fixture), prompt, max_tokens = tokens, temperature = 0, ignore_eos = true, return_token_ids = true,
        });
        var body = await reply.Content.ReadAsStringAsync();
        Assert.True(reply.IsSuccessStatusCode, body);
        using var json = JsonDocument.Parse(body);
        return [.. json.RootElement.GetProperty("choices")[0].GetProperty("token_ids").EnumerateArray().Select(id => id.GetInt32())];
    }
}
