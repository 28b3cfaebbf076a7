using System.Text.Json;

namespace Serving.Tests;

public sealed class CompletionTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    const string Path = "/v1/completions";

    TestServer Server => fixture.Server;

    [Theory]
    [InlineData("\"a\\n\"")]
    [InlineData("[\"a\\n\"]")]
    [InlineData("[97, 10]")]
    [InlineData("[[97, 10]]")]
    public async Task A_prompt_may_be_text_or_ids(string prompt)
    {
        var reply = await Server.JsonAsync(Path, $$"""{"model": "org/tiny", "prompt": {{prompt}} }""");
        Assert.StartsWith("cmpl-", reply.GetProperty("id").GetString());
        Assert.Equal("text_completion", reply.GetProperty("object").GetString());
        Assert.Equal("org/tiny", reply.GetProperty("model").GetString());
        var choice = reply.GetProperty("choices").EnumerateArray().Single();
        Assert.Equal(["index", "text", "logprobs", "finish_reason"], choice.EnumerateObject().Select(m => m.Name));
        Assert.Equal(ScriptedDecoder.Script, choice.GetProperty("text").GetString());
        Assert.Equal(2, reply.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(14, reply.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task The_default_limit_is_sixteen()
    {
        var reply = await Server.JsonAsync(Path, """{"model": "tiny", "prompt": "x"}""");
        Assert.Equal(new string('x', 16), reply.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.Equal("length", reply.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task Choices_of_a_batch_are_numbered_by_prompt_and_choice()
    {
        var reply = await Server.JsonAsync(Path, """{"model": "tiny", "prompt": ["a\n", "x", "b"], "n": 2, "max_tokens": 3}""");
        Assert.Equal(["One", "One", "xxx", "xxx", "", ""], Texts(reply));
        Assert.Equal([0, 1, 2, 3, 4, 5], reply.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("index").GetInt32()));
        Assert.Equal(4, reply.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(12, reply.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Theory]
    [InlineData("")]
    [InlineData(", \"n\": 2, \"echo\": true, \"logprobs\": 3")]
    [InlineData(", \"stop\": \"two\", \"logprobs\": 0")]
    [InlineData(", \"echo\": true, \"max_tokens\": 0, \"logprobs\": 1")]
    [InlineData(", \"temperature\": 2, \"seed\": 9, \"ignore_eos\": true, \"max_tokens\": 70, \"logprobs\": 2")]
    public async Task A_stream_says_what_the_whole_reply_says(string members)
    {
        var body = $$"""{"model": "tiny", "prompt": ["Hé\n", "x\n"] {{members}} """;
        var whole = await Server.JsonAsync(Path, body + "}");
        var events = await Server.EventsAsync(Path, body + ", \"stream\": true}");
        foreach (var choice in whole.GetProperty("choices").EnumerateArray())
        {
            var parts = events.SelectMany(e => e.GetProperty("choices").EnumerateArray())
                .Where(c => c.GetProperty("index").GetInt32() == choice.GetProperty("index").GetInt32()).ToList();
            Assert.Equal(choice.GetProperty("text").GetString(), string.Concat(parts.Select(p => p.GetProperty("text").GetString())));
            Assert.Equal(choice.GetProperty("finish_reason").GetString(), parts[^1].GetProperty("finish_reason").GetString());
            foreach (var list in (string[])["tokens", "token_logprobs", "top_logprobs", "text_offset"])
                Assert.Equal(Logprobs(choice, list), parts.SelectMany(p => Logprobs(p, list)));
        }
    }

    [Fact]
    public async Task An_echo_scores_the_prompt()
    {
        var reply = await Server.JsonAsync(Path, """{"model": "tiny", "prompt": "é\nOn", "echo": true, "logprobs": 1, "max_tokens": 0}""");
        var choice = reply.GetProperty("choices")[0];
        Assert.Equal("é\nOn", choice.GetProperty("text").GetString());
        Assert.Equal("length", choice.GetProperty("finish_reason").GetString());
        Assert.Equal(0, reply.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        var logprobs = choice.GetProperty("logprobs");
        Assert.Equal("""["bytes:\\xc3","bytes:\\xa9","\n","O","n"]""", logprobs.GetProperty("tokens").GetRawText());
        Assert.Equal("[0,0,1,2,3]", logprobs.GetProperty("text_offset").GetRawText());
        var scores = logprobs.GetProperty("token_logprobs").EnumerateArray().ToList();
        Assert.Equal(JsonValueKind.Null, scores[0].ValueKind);
        Assert.InRange(scores[3].GetDouble(), -1, 0);
        Assert.InRange(scores[2].GetDouble(), -9999, -4);
        Assert.Equal(JsonValueKind.Null, logprobs.GetProperty("top_logprobs")[0].ValueKind);
        Assert.Equal(2, logprobs.GetProperty("top_logprobs")[2].EnumerateObject().Count());
    }

    [Fact]
    public async Task Prompt_log_probabilities_have_vllm_s_form()
    {
        var reply = await Server.JsonAsync(Path, """{"model": "tiny", "prompt": "\nOn", "prompt_logprobs": 1, "max_tokens": 1}""");
        var entries = reply.GetProperty("choices")[0].GetProperty("prompt_logprobs");
        Assert.Equal(JsonValueKind.Null, entries[0].ValueKind);
        var second = entries[1].GetProperty("79");
        Assert.Equal(1, second.GetProperty("rank").GetInt32());
        Assert.Equal("O", second.GetProperty("decoded_token").GetString());
    }

    [Fact]
    public async Task The_best_of_several_come_first_and_alone()
    {
        const string Body = """{"model": "tiny", "prompt": "x", "temperature": 1.2, "seed": 4, "max_tokens": 6, "ignore_eos": true, "logprobs": 0, """;
        var all = await Server.JsonAsync(Path, Body + "\"n\": 6}");
        var best = await Server.JsonAsync(Path, Body + "\"n\": 2, \"best_of\": 6}");
        var ranked = all.GetProperty("choices").EnumerateArray()
            .OrderByDescending(c => c.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray().Average(l => l.GetDouble()))
            .Select(c => c.GetProperty("text").GetString()).Take(2);
        Assert.Equal(ranked, Texts(best));
        Assert.Equal(36, best.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task Sampling_extensions_reach_the_sampler()
    {
        Assert.Equal("On", await Text("\"stop_token_ids\": [101]"));
        Assert.Equal("OOOOO", await Text("\"allowed_token_ids\": [79], \"max_tokens\": 5"));
        Assert.Equal("zz", await Text("\"logit_bias\": {\"122\": 100}, \"max_tokens\": 2"));
        Assert.Equal(20, (await Text("\"temperature\": 2, \"min_tokens\": 20, \"max_tokens\": 20, \"skip_special_tokens\": false, \"stop\": [\"O\", \"e\"], \"allowed_token_ids\": [79, 258, 101]")).Length);

        async Task<string> Text(string members) =>
            Texts(await Server.JsonAsync(Path, $$"""{"model": "tiny", "prompt": "\n", {{members}} }""")).Single();
    }

    [Fact]
    public async Task A_prompt_can_be_cut_to_its_end()
    {
        var reply = await Server.JsonAsync(Path, """{"model": "tiny", "prompt": "abcdef", "truncate_prompt_tokens": 2, "echo": true, "max_tokens": 0}""");
        Assert.Equal(["ef"], Texts(reply));
    }

    static IEnumerable<string> Texts(JsonElement reply) => reply.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("text").GetString()!);

    static IEnumerable<string> Logprobs(JsonElement choice, string list) =>
        choice.GetProperty("logprobs") is { ValueKind: JsonValueKind.Object } logprobs ? logprobs.GetProperty(list).EnumerateArray().Select(v => v.GetRawText()) : [];
}
