using System.Text.Json;

namespace Serving.Tests;

/// <summary>Guesses ahead as clients and operators see them: the same answers, and figures of how many were right.</summary>
public sealed class SpeculationTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    const string Path = "/v1/completions";

    TestServer Server => fixture.Server;

    [Theory]
    [InlineData("")]
    [InlineData(", \"n\": 3, \"logprobs\": 3, \"temperature\": 1, \"seed\": 5")]
    [InlineData(", \"stop\": \"xxxxxxxxxxxxxxxxxx\", \"frequency_penalty\": 0.1, \"logit_bias\": {\"97\": 1}")]
    [InlineData(", \"structured_outputs\": {\"regex\": \"x{3,20}\"}")]
    public async Task The_same_is_said_with_guesses_and_without(string members)
    {
        var body = $$"""{"model": "tiny", "prompt": "xxxx", "max_tokens": 40 {{members}} """;
        var plain = await Server.JsonAsync(Path, body + "}");
        var guessed = await Server.JsonAsync(Path, body + """, "num_speculative_tokens": 5, "prompt_lookup_min": 1}""");
        Assert.Equal(plain.GetProperty("choices").GetRawText(), guessed.GetProperty("choices").GetRawText());
        Assert.False(plain.GetProperty("usage").TryGetProperty("completion_tokens_details", out _));
        var usage = guessed.GetProperty("usage");
        Assert.InRange(
            usage.GetProperty("completion_tokens_details").GetProperty("accepted_prediction_tokens").GetInt32(), 1, usage.GetProperty("completion_tokens").GetInt32() - 1);
    }

    [Theory]
    [InlineData("\"num_speculative_tokens\": 33", "num_speculative_tokens")]
    [InlineData("\"num_speculative_tokens\": -1", "num_speculative_tokens")]
    [InlineData("\"num_speculative_tokens\": 4, \"prompt_lookup_max\": 65", "prompt_lookup_max")]
    [InlineData("\"num_speculative_tokens\": 4, \"prompt_lookup_max\": 2, \"prompt_lookup_min\": 3", "prompt_lookup_min")]
    [InlineData("\"prompt_lookup_min\": 3", "prompt_lookup_min")]
    public async Task What_makes_no_sense_is_refused_by_name(string members, string parameter)
    {
        using var reply = await Server.PostAsync(Path, $$"""{"model": "tiny", "prompt": "x", {{members}} }""");
        Assert.Equal(400, (int)reply.StatusCode);
        Assert.Equal(parameter, JsonDocument.Parse(await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("error").GetProperty("param").GetString());
    }

    [Fact]
    public async Task Metrics_count_guesses_under_the_names_that_dashboards_know()
    {
        await Server.JsonAsync(Path, """{"model": "tiny", "prompt": "xxxx", "max_tokens": 30, "num_speculative_tokens": 3, "prompt_lookup_min": 1}""");
        var text = await Server.Client.GetStringAsync(new Uri("/metrics", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Matches(@"vllm:spec_decode_num_drafts_total\{model_name=""[^""]+""\} [1-9]", text);
        Assert.Matches(@"vllm:spec_decode_num_draft_tokens_total\{model_name=""[^""]+""\} [1-9]", text);
        Assert.Matches(@"vllm:spec_decode_num_accepted_tokens_total\{model_name=""[^""]+""\} [1-9]", text);
        Assert.Matches(@"vllm:spec_decode_num_accepted_tokens_per_pos_total\{model_name=""[^""]+"",position=""0""\} [1-9]", text);
        Assert.Matches(@"serving_drafts_accepted_total [1-9]", text);
    }
}
