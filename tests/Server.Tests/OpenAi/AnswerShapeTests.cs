using System.Text.Json;
using System.Text.RegularExpressions;

namespace Serving.Tests;

/// <summary>Answers that are held to a form, together with everything else that shapes an answer.</summary>
public sealed class AnswerShapeTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    const string Chat = "/v1/chat/completions";

    const string Person = """
        {"type": "object", "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "minimum": 0, "maximum": 130},
         "kind": {"enum": ["cat", "dog"]}}, "required": ["name", "age", "kind"], "additionalProperties": false}
        """;

    const string Schema = $$""" "response_format": {"type": "json_schema", "json_schema": {"name": "person", "strict": true, "schema": {{Person}} } } """;

    TestServer Server => fixture.Server;

    static string Ask(string members) => $$"""{"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], {{members}} }""";

    [Theory]
    [InlineData(""" "temperature": 0 """)]
    [InlineData(""" "n": 4, "temperature": 2, "seed": 9 """)]
    [InlineData(""" "n": 3, "temperature": 1, "seed": 1, "logprobs": true, "top_logprobs": 2, "presence_penalty": 1, "max_tokens": 90 """)]
    [InlineData(""" "temperature": 1.5, "seed": 4, "top_k": 3, "ignore_eos": true """)]
    public async Task A_schema_holds_for_every_choice_and_every_way_to_draw(string members)
    {
        var whole = await Server.JsonAsync(Chat, Ask($"{Schema}, {members}"));
        foreach (var choice in whole.GetProperty("choices").EnumerateArray())
        {
            Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
            var person = JsonDocument.Parse(choice.GetProperty("message").GetProperty("content").GetString()!).RootElement;
            Assert.Equal(["name", "age", "kind"], person.EnumerateObject().Select(member => member.Name));
            Assert.InRange(person.GetProperty("age").GetInt32(), 0, 130);
            Assert.Contains(person.GetProperty("kind").GetString(), (string[])["cat", "dog"]);
            Assert.InRange(person.GetProperty("name").GetString()!.EnumerateRunes().Count(), 0, 12);
        }
        var events = await Server.EventsAsync(Chat, Ask($"{Schema}, {members}, \"stream\": true"));
        var streamed = events.SelectMany(e => e.GetProperty("choices").EnumerateArray()).GroupBy(c => c.GetProperty("index").GetInt32()).OrderBy(g => g.Key)
            .Select(g => string.Concat(g.Select(c => c.GetProperty("delta").TryGetProperty("content", out var text) ? text.GetString() : "")));
        Assert.Equal(whole.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("message").GetProperty("content").GetString()), streamed);
    }

    [Theory]
    [InlineData(""" "structured_outputs": {"regex": "[a-c]{3}-\\d+"} """, @"^[a-c]{3}-\d+$")]
    [InlineData(""" "guided_regex": "(yes|no)" """, "^(yes|no)$")]
    [InlineData(""" "structured_outputs": {"choice": ["north", "é\n"]} """, "^(north|é\n)$")]
    [InlineData(""" "guided_choice": ["one"] """, "^one$")]
    [InlineData(""" "guided_grammar": "root ::= \"<\" [a-z]{2} root? \">\"" """, "^(<[a-z]{2})+>+$")]
    [InlineData(""" "structured_outputs": {"json": {"type": "array", "items": {"const": 7}, "minItems": 2, "maxItems": 3}} """, @"^\[\s*7,\s*7(,\s*7)?\s*\]$")]
    [InlineData(""" "guided_json": "{\"const\": null}" """, "^null$")]
    [InlineData(""" "structured_outputs": {"json_object": true} """, @"^\{(?s:.*)\}$")]
    public async Task Every_form_of_vllm_is_kept(string members, string expected)
    {
        foreach (var (path, ask) in ((string, string)[])[(Chat, Ask(members)), ("/v1/completions", $$"""{"model": "tiny", "prompt": "x", {{members}} }""")])
        {
            var choice = (await Server.JsonAsync(path, ask.Replace("\"model\"", "\"max_tokens\": 100, \"temperature\": 1, \"seed\": 3, \"model\""))).GetProperty("choices")[0];
            var text = (choice.TryGetProperty("message", out var message) ? message.GetProperty("content") : choice.GetProperty("text")).GetString()!;
            Assert.Matches(new Regex(expected), text);
            Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        }
    }

    [Fact]
    public async Task An_object_is_complete_however_little_room_it_has()
    {
        for (var room = 45; room < 70; room++)
        {
            var choice = (await Server.JsonAsync(Chat, Ask($"{Schema}, \"max_tokens\": {room}, \"temperature\": 2, \"seed\": {room}"))).GetProperty("choices")[0];
            Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
            JsonDocument.Parse(choice.GetProperty("message").GetProperty("content").GetString()!).Dispose();
        }
        var cut = (await Server.JsonAsync(Chat, Ask($"{Schema}, \"max_tokens\": 12"))).GetProperty("choices")[0];
        Assert.Equal("length", cut.GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task A_seed_repeats_and_stop_strings_end_within_the_form()
    {
        var body = Ask($"{Schema}, \"temperature\": 2, \"seed\": 5, \"n\": 2");
        Assert.Equal((await Server.JsonAsync(Chat, body)).GetProperty("choices").GetRawText(), (await Server.JsonAsync(Chat, body)).GetProperty("choices").GetRawText());
        var stopped = (await Server.JsonAsync(Chat, Ask($"{Schema}, \"stop\": \"\\\"age\""))).GetProperty("choices")[0];
        Assert.Equal("stop", stopped.GetProperty("finish_reason").GetString());
        var text = stopped.GetProperty("message").GetProperty("content").GetString()!;
        Assert.StartsWith("{", text);
        Assert.DoesNotContain("age", text);
    }

    [Fact]
    public async Task Log_probabilities_are_those_of_the_model_and_cover_the_text()
    {
        var choice = (await Server.JsonAsync(Chat, Ask(""" "guided_regex": "ab", "logprobs": true """))).GetProperty("choices")[0];
        Assert.Equal(["a", "b"], choice.GetProperty("logprobs").GetProperty("content").EnumerateArray().Select(t => t.GetProperty("token").GetString()));
        Assert.All(choice.GetProperty("logprobs").GetProperty("content").EnumerateArray(), t => Assert.InRange(t.GetProperty("logprob").GetDouble(), -20, -0.001));
    }

    [Fact]
    public async Task A_free_neighbour_in_the_batch_says_what_it_says_alone()
    {
        var alone = await Server.JsonAsync(Chat, Ask(""" "temperature": 0 """));
        var together = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Server.JsonAsync(Chat, Ask(i % 2 == 0 ? """ "temperature": 0 """ : $"{Schema}, \"seed\": {i}, \"temperature\": 2"))));
        Assert.All(together.Where((_, i) => i % 2 == 0), reply =>
            Assert.Equal(alone.GetProperty("choices").GetRawText(), reply.GetProperty("choices").GetRawText()));
    }
}
