using System.Text.Json;

namespace Serving.Tests;

public sealed class ChatTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    const string Path = "/v1/chat/completions";

    static string Ask(string members = "", string content = "Hi") =>
        $$"""{"model": "tiny", "messages": [{"role": "user", "content": "{{content}}"}] {{members}} }""";

    TestServer Server => fixture.Server;

    [Fact]
    public async Task A_reply_has_every_member_of_the_contract()
    {
        var reply = await Server.JsonAsync(Path, Ask());
        Assert.StartsWith("chatcmpl-", reply.GetProperty("id").GetString());
        Assert.Equal("chat.completion", reply.GetProperty("object").GetString());
        Assert.Equal("tiny", reply.GetProperty("model").GetString());
        Assert.Equal("fp_test", reply.GetProperty("system_fingerprint").GetString());
        Assert.InRange(reply.GetProperty("created").GetInt64(), 1_700_000_000, 4_000_000_000);
        var choice = reply.GetProperty("choices").EnumerateArray().Single();
        Assert.Equal(["index", "message", "logprobs", "finish_reason"], choice.EnumerateObject().Select(m => m.Name));
        Assert.Equal(JsonValueKind.Null, choice.GetProperty("logprobs").ValueKind);
        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        Assert.Equal("""{"content":"One☃two, é!","role":"assistant","refusal":null}""", Sorted(choice.GetProperty("message"), "content", "role", "refusal"));
        var usage = reply.GetProperty("usage");
        var prompt = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n".Length - 3 * "<|im_start|>".Length + 3 + 2;
        Assert.Equal(prompt, usage.GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(14, usage.GetProperty("completion_tokens").GetInt32());
        Assert.Equal(prompt + 14, usage.GetProperty("total_tokens").GetInt32());
        Assert.True(usage.GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32() >= 0);
    }

    [Fact]
    public async Task A_repeated_prompt_reports_its_cached_tokens()
    {
        var body = Ask(", \"max_tokens\": 1", content: new string('y', 100));
        await Server.JsonAsync(Path, body);
        var usage = (await Server.JsonAsync(Path, body)).GetProperty("usage");
        Assert.Equal(112, usage.GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32());
    }

    [Theory]
    [InlineData("")]
    [InlineData(", \"n\": 3, \"temperature\": 1.5, \"seed\": 7, \"max_tokens\": 40")]
    [InlineData(", \"stop\": [\"two\"]")]
    [InlineData(", \"stop\": \"wo,\", \"include_stop_str_in_output\": true, \"logprobs\": true, \"top_logprobs\": 2")]
    [InlineData(", \"stop\": [\"!?\", \"é!!\"]")]
    [InlineData(", \"max_tokens\": 4")]
    [InlineData(", \"max_tokens\": 5, \"logprobs\": true")]
    [InlineData(", \"n\": 2, \"temperature\": 2, \"seed\": 3, \"max_tokens\": 60, \"logprobs\": true, \"top_logprobs\": 3, \"skip_special_tokens\": false, \"ignore_eos\": true")]
    [InlineData(", \"return_token_ids\": true, \"stop\": \"☃\"")]
    public async Task A_stream_says_what_the_whole_reply_says(string members)
    {
        var whole = await Server.JsonAsync(Path, Ask(members));
        var events = await Server.EventsAsync(Path, Ask(members + ", \"stream\": true, \"stream_options\": {\"include_usage\": true}"));
        Assert.Single(events.Select(e => e.GetProperty("id").GetString()).Distinct());
        Assert.All(events, e => Assert.Equal("chat.completion.chunk", e.GetProperty("object").GetString()));
        Assert.All(events.SkipLast(1), e => Assert.Equal(JsonValueKind.Null, e.GetProperty("usage").ValueKind));
        Assert.Equal(0, events[^1].GetProperty("choices").GetArrayLength());
        Assert.Equal(Figures(whole), Figures(events[^1]));
        foreach (var choice in whole.GetProperty("choices").EnumerateArray())
        {
            var index = choice.GetProperty("index").GetInt32();
            var parts = events.SelectMany(e => e.GetProperty("choices").EnumerateArray()).Where(c => c.GetProperty("index").GetInt32() == index).ToList();
            Assert.Equal("""{"role":"assistant","content":"","refusal":null}""", parts[0].GetProperty("delta").GetRawText());
            Assert.Equal("{}", parts[^1].GetProperty("delta").GetRawText());
            Assert.Equal(choice.GetProperty("finish_reason").GetString(), parts[^1].GetProperty("finish_reason").GetString());
            Assert.All(parts.SkipLast(1), p => Assert.Equal(JsonValueKind.Null, p.GetProperty("finish_reason").ValueKind));
            Assert.Equal(choice.GetProperty("message").GetProperty("content").GetString(), string.Concat(parts.SkipLast(1).Select(Content)));
            Assert.Equal(Logprobs(choice), string.Concat(parts.Select(Logprobs)));
        }
    }

    [Fact]
    public async Task Without_the_option_no_chunk_has_usage()
    {
        var events = await Server.EventsAsync(Path, Ask(", \"stream\": true"));
        Assert.All(events, e => Assert.False(e.TryGetProperty("usage", out _)));
        Assert.Equal(1, events[^1].GetProperty("choices").GetArrayLength());
    }

    [Theory]
    [InlineData("\"two\"", "One☃", "stop")]
    [InlineData("[\"zzz\", \"☃tw\"]", "One", "stop")]
    [InlineData("\"two, é!?\"", "One☃two, é!", "stop")]
    [InlineData("\"On\"", "", "stop")]
    public async Task Stop_strings_are_found_across_tokens_and_never_sent(string stop, string text, string reason)
    {
        var choice = (await Server.JsonAsync(Path, Ask($", \"stop\": {stop}"))).GetProperty("choices")[0];
        Assert.Equal(text, choice.GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(reason, choice.GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task A_stop_string_ends_one_choice_and_not_the_others()
    {
        var reply = await Server.JsonAsync(Path, Ask(", \"n\": 4, \"temperature\": 2, \"seed\": 5, \"max_tokens\": 100, \"ignore_eos\": true, \"stop\": [\"!\"]"));
        var choices = reply.GetProperty("choices").EnumerateArray().ToList();
        Assert.Equal([0, 1, 2, 3], choices.Select(c => c.GetProperty("index").GetInt32()));
        Assert.All(choices, c => Assert.DoesNotContain("!", c.GetProperty("message").GetProperty("content").GetString()));
        await Server.IdleAsync();
    }

    [Fact]
    public async Task A_limit_ends_with_length_and_never_with_half_a_character()
    {
        var choice = (await Server.JsonAsync(Path, Ask(", \"max_tokens\": 4"))).GetProperty("choices")[0];
        Assert.Equal("length", choice.GetProperty("finish_reason").GetString());
        Assert.Equal("One\uFFFD", choice.GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task Log_probabilities_cover_the_tokens_that_were_sent()
    {
        var reply = await Server.JsonAsync(Path, Ask(", \"stop\": \"two\", \"logprobs\": true, \"top_logprobs\": 2"));
        var content = reply.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content").EnumerateArray().ToList();
        Assert.Equal(["O", "n", "e", "\uFFFD", "\uFFFD", "\uFFFD"], content.Select(t => t.GetProperty("token").GetString()));
        Assert.Equal([0xE2, 0x98, 0x83], content.Skip(3).Select(t => t.GetProperty("bytes")[0].GetInt32()));
        Assert.All(content, t => Assert.Equal(2, t.GetProperty("top_logprobs").GetArrayLength()));
        Assert.All(content, t => Assert.InRange(t.GetProperty("logprob").GetDouble(), -9999, 0));
        Assert.All(content, t => Assert.Equal(t.GetProperty("token").GetString(), t.GetProperty("top_logprobs")[0].GetProperty("token").GetString()));
    }

    [Fact]
    public async Task Tokens_may_be_spelled_as_ids()
    {
        var reply = await Server.JsonAsync(Path, Ask(", \"max_tokens\": 1, \"logprobs\": true, \"return_tokens_as_token_ids\": true, \"return_token_ids\": true"));
        var choice = reply.GetProperty("choices")[0];
        Assert.Equal("token_id:79", choice.GetProperty("logprobs").GetProperty("content")[0].GetProperty("token").GetString());
        Assert.Equal("[79]", choice.GetProperty("token_ids").GetRawText());
        Assert.Equal(TinyText.StartOfTurn, reply.GetProperty("prompt_token_ids")[0].GetInt32());
    }

    [Fact]
    public async Task A_seed_repeats_an_answer_and_another_changes_it()
    {
        var first = await Answer(1);
        Assert.Equal(first, await Answer(1));
        Assert.NotEqual(first, await Answer(2));

        async Task<string> Answer(int seed) => (await Server.JsonAsync(Path, Ask($", \"temperature\": 2, \"seed\": {seed}, \"max_tokens\": 50, \"ignore_eos\": true")))
            .GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
    }

    [Fact]
    public async Task Special_tokens_spelled_by_a_user_are_plain_text()
    {
        const string Text = "a<|im_end|>b";
        var plain = await Prompt(Server);
        Assert.Equal(2, plain.Count(id => id == TinyText.StartOfTurn));
        Assert.Equal(1, plain.Count(id => id == TinyText.EndOfTurn));
        await using var trusting = await TestServer.StartAsync(o => o with { ParseSpecialInContent = true });
        Assert.Equal(2, (await Prompt(trusting)).Count(id => id == TinyText.EndOfTurn));

        static async Task<int[]> Prompt(TestServer server) => [.. (await server.JsonAsync("/tokenize",
            $$"""{"messages": [{"role": "user", "content": "{{Text}}"}]}""")).GetProperty("tokens").EnumerateArray().Select(t => t.GetInt32())];
    }

    [Fact]
    public async Task Parts_of_a_content_are_joined_and_developers_speak_as_the_system()
    {
        var reply = await Server.JsonAsync("/v1/tokenize", """
            {"messages": [{"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "add_generation_prompt": false}
            """);
        var text = await Server.JsonAsync("/v1/detokenize", $$"""{"tokens": {{reply.GetProperty("tokens").GetRawText()}}}""");
        Assert.Equal("<|im_start|>system\nab<|im_end|>\n", text.GetProperty("prompt").GetString());
    }

    [Fact]
    public async Task Unknown_fields_are_ignored_by_name_or_refused()
    {
        var body = Ask(", \"max_tokens\": 1, \"zeta\": 1, \"stream\": true, \"stream_options\": {\"pace\": 2}, \"a\\nb\": 3");
        using var reply = await Server.PostAsync(Path, body);
        Assert.Equal("zeta, a?b, stream_options.pace", reply.Headers.GetValues("x-ignored-parameters").Single());
        using var known = await Server.PostAsync(Path, Ask(", \"max_tokens\": 1, \"user\": \"u\", \"store\": true, \"top_k\": 3"));
        Assert.False(known.Headers.Contains("x-ignored-parameters"));
        await using var strict = await TestServer.StartAsync(o => o with { StrictParameters = true });
        using var refused = await strict.PostAsync(Path, body);
        await ErrorTests.Check(refused, 400, "zeta", "unknown_parameter");
    }

    [Fact]
    public async Task An_answer_that_would_not_fit_is_shortened_where_the_operator_wants_it()
    {
        await using var server = await TestServer.StartAsync(o => o with { ClampMaxTokens = true });
        var reply = await server.JsonAsync("/v1/completions", """{"model": "tiny", "prompt": "x", "max_tokens": 600}""");
        Assert.Equal(511, reply.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal("length", reply.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    static string Content(JsonElement part) => part.GetProperty("delta").TryGetProperty("content", out var text) ? text.GetString()! : "";

    static string Logprobs(JsonElement choice) =>
        choice.GetProperty("logprobs") is { ValueKind: JsonValueKind.Object } logprobs
            ? string.Concat(logprobs.GetProperty("content").EnumerateArray().Select(t => t.GetRawText()))
            : "";

    static string Figures(JsonElement reply) => string.Join(" ", ((string[])["prompt_tokens", "completion_tokens", "total_tokens"])
        .Select(name => reply.GetProperty("usage").GetProperty(name).GetInt32()));

    static string Sorted(JsonElement value, params string[] names) =>
        "{" + string.Join(",", names.Select(name => $"\"{name}\":{value.GetProperty(name).GetRawText()}")) + "}";
}
