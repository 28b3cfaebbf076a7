using System.Text.Json;

namespace Serving.Tests;

/// <summary>Tools over HTTP: what the model is told, what it must do, and how both replies show it.</summary>
public sealed class ToolTests(ToolTests.Roomy fixture) : IClassFixture<ToolTests.Roomy>
{
    /// <summary>A server whose context holds descriptions of tools, spelled byte by byte.</summary>
    public sealed class Roomy : IAsyncLifetime
    {
        internal TestServer Server { get; private set; } = null!;

        public async ValueTask InitializeAsync() =>
            Server = await TestServer.StartAsync(o => o with { Engine = o.Engine with { MaxLength = 2048 } });

        public ValueTask DisposeAsync() => Server.DisposeAsync();
    }

    const string Chat = "/v1/chat/completions";

    const string Tools = """
        "tools": [{"type": "function", "function": {"name": "get_weather", "description": "d", "parameters":
          {"type": "object", "properties": {"city": {"enum": ["Bern", "Oslo"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9} }, "required": ["city"], "additionalProperties": false} } },
         {"type": "function", "function": {"name": "stop"} }]
        """;

    TestServer Server => fixture.Server;

    static string Ask(string members, string messages = """[{"role": "user", "content": "Hi"}]""") => $$"""{"model": "tiny", "messages": {{messages}}, {{members}} }""";

    [Theory]
    [InlineData(""" "tool_choice": "required", "parallel_tool_calls": false """, "tool_calls")]
    [InlineData(""" "tool_choice": "required", "temperature": 2, "seed": 3, "n": 3, "max_tokens": 300 """, "tool_calls")]
    [InlineData(""" "tool_choice": "required", "temperature": 1.2, "seed": 8, "logprobs": true, "max_tokens": 200 """, "tool_calls")]
    [InlineData(""" "tool_choice": {"type": "function", "function": {"name": "get_weather"} }, "temperature": 2, "seed": 1 """, "stop")]
    [InlineData(""" "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "get_weather"} }]} } """, "tool_calls")]
    public async Task A_call_that_must_be_made_is_made_and_streamed_alike(string members, string reason)
    {
        var body = Ask($"{Tools}, {members}");
        var whole = await Server.JsonAsync(Chat, body);
        var events = await Server.EventsAsync(Chat, Ask($"{Tools}, {members}, \"stream\": true"));
        foreach (var choice in whole.GetProperty("choices").EnumerateArray())
        {
            Assert.Equal(reason, choice.GetProperty("finish_reason").GetString());
            var message = choice.GetProperty("message");
            Assert.Equal(JsonValueKind.Null, message.GetProperty("content").ValueKind);
            var calls = message.GetProperty("tool_calls").EnumerateArray().ToList();
            foreach (var call in calls)
                Check(call, onlyWeather: members.Contains("get_weather", StringComparison.Ordinal));
            if (members.Contains("false", StringComparison.Ordinal) || reason == "stop")
                Assert.Single(calls);
            Assert.Equal(calls.Count, calls.Select(call => call.GetProperty("id").GetString()).Distinct().Count());
            Assert.Equal(calls.Select(Said), Streamed(events, choice.GetProperty("index").GetInt32(), reason));
        }
    }

    static void Check(JsonElement call, bool onlyWeather)
    {
        Assert.Equal("function", call.GetProperty("type").GetString());
        Assert.StartsWith("call_", call.GetProperty("id").GetString());
        var function = call.GetProperty("function");
        var arguments = JsonDocument.Parse(function.GetProperty("arguments").GetString()!).RootElement;
        if (function.GetProperty("name").GetString() == "get_weather")
            Assert.Contains(arguments.GetProperty("city").GetString(), (string[])["Bern", "Oslo"]);
        else
            Assert.False(onlyWeather);
    }

    static string Said(JsonElement call) => $"{call.GetProperty("function").GetProperty("name").GetString()} {call.GetProperty("function").GetProperty("arguments").GetString()}";

    static List<string> Streamed(List<JsonElement> events, int index, string reason)
    {
        var parts = events.SelectMany(e => e.GetProperty("choices").EnumerateArray()).Where(c => c.GetProperty("index").GetInt32() == index).ToList();
        Assert.Equal(reason, parts[^1].GetProperty("finish_reason").GetString());
        var calls = new List<string>();
        foreach (var part in parts.Select(part => part.GetProperty("delta")).Where(delta => delta.TryGetProperty("tool_calls", out _)))
        {
            var call = part.GetProperty("tool_calls").EnumerateArray().Single();
            if (call.TryGetProperty("id", out _))
                calls.Add($"{call.GetProperty("function").GetProperty("name").GetString()} ");
            Assert.Equal(calls.Count - 1, call.GetProperty("index").GetInt32());
            calls[^1] += call.GetProperty("function").GetProperty("arguments").GetString();
        }
        Assert.True(calls.Count == 0 || parts.Count > 10, "The arguments came in one piece.");
        return calls;
    }

    [Fact]
    public async Task Without_need_the_model_speaks_and_with_none_it_is_not_told()
    {
        var auto = await Server.JsonAsync(Chat, Ask(Tools));
        Assert.Equal("One☃two, é!", auto.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.False(auto.GetProperty("choices")[0].GetProperty("message").TryGetProperty("tool_calls", out _));
        var none = await Server.JsonAsync(Chat, Ask($"{Tools}, \"tool_choice\": \"none\", \"max_tokens\": 1"));
        var plain = await Server.JsonAsync(Chat, Ask(""" "max_tokens": 1 """));
        Assert.Equal(Prompt(plain), Prompt(none));
        Assert.True(Prompt(auto) > Prompt(plain) + 100);

        static int Prompt(JsonElement reply) => reply.GetProperty("usage").GetProperty("prompt_tokens").GetInt32();
    }

    [Fact]
    public async Task A_template_gets_the_tools_the_calls_and_their_answers()
    {
        const string Source = "{% if tools %}T:{{ tools | tojson }}\n{% endif %}{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls %}<tool_call>{{ c.function.name }}={{ c.function.arguments.x }}{% endfor %}{{ m.tool_call_id }}\n{% endfor %}";
        await using var server = await TestServer.StartAsync(o => o with { ChatTemplate = Source });
        const string Messages = """
            [{"role": "user", "content": "c"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "i1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 7}"} }]},
             {"role": "tool", "tool_call_id": "i1", "content": "d"}, {"role": "user", "content": "e"}]
            """;
        var reply = await server.JsonAsync(Chat, Ask(""" "tools": [{"type": "function", "function": {"name": "f"} }], "return_token_ids": true, "max_tokens": 1 """, Messages));
        var ids = reply.GetProperty("prompt_token_ids").EnumerateArray().Select(id => id.GetInt32()).ToArray();
        Assert.Equal("T:[{\"type\": \"function\", \"function\": {\"name\": \"f\"}}]\nuser:c\nassistant:<tool_call>f=7\ntool:di1\nuser:e\n",
            TinyText.Tokenizer.Decode(ids, skipSpecial: false));
    }

    [Fact]
    public async Task A_template_that_knows_no_tools_is_told_in_plain_messages()
    {
        const string Messages = """
            [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "c"},
             {"role": "assistant", "content": "Ok.", "tool_calls": [{"id": "i1", "type": "function", "function": {"name": "stop", "arguments": "{}"} }]},
             {"role": "tool", "tool_call_id": "i1", "content": "done"}]
            """;
        var reply = await Server.JsonAsync(Chat, Ask($"{Tools}, \"return_token_ids\": true, \"max_tokens\": 1", Messages));
        var prompt = TinyText.Tokenizer.Decode([.. reply.GetProperty("prompt_token_ids").EnumerateArray().Select(id => id.GetInt32())], skipSpecial: false);
        Assert.StartsWith("<|im_start|>system\nBe kind.\n\nYou have access to the following tools:\n<tools>[{\"type\": \"function\"", prompt);
        Assert.Contains("<|im_start|>assistant\nOk.\n<tool_call>[{\"name\": \"stop\", \"arguments\": {}}]</tool_call><|im_end|>", prompt);
        Assert.Contains("<|im_start|>user\n<tool_response>\ndone\n</tool_response><|im_end|>", prompt);
    }

    [Fact]
    public async Task A_template_that_prints_calls_but_no_tools_is_told_of_them_in_its_own_format()
    {
        const string Source = "{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls %}<｜tool▁sep｜>{{ c.function.name }}{% endfor %}\n{% endfor %}";
        await using var server = await TestServer.StartAsync(o => o with { ChatTemplate = Source, Engine = o.Engine with { MaxLength = 2048 } });
        const string Messages = """
            [{"role": "user", "content": "c"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "i1", "type": "function", "function": {"name": "stop", "arguments": "{}"} }]},
             {"role": "tool", "tool_call_id": "i1", "content": "done"}]
            """;
        var reply = await server.JsonAsync(Chat, Ask($"{Tools}, \"return_token_ids\": true, \"max_tokens\": 1", Messages));
        var prompt = TinyText.Tokenizer.Decode([.. reply.GetProperty("prompt_token_ids").EnumerateArray().Select(id => id.GetInt32())], skipSpecial: false);
        Assert.Contains("\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>func_name1<｜tool▁sep｜>{\"argument1\": \"value1\"}<｜tool▁call▁end｜><｜tool▁call▁begin｜>", prompt);
        Assert.EndsWith("user:cassistant:<｜tool▁sep｜>stoptool:done", prompt);
    }

    [Fact]
    public async Task Calls_or_a_form_may_be_asked_for_together()
    {
        for (var seed = 0; seed < 6; seed++)
        {
            var choice = (await Server.JsonAsync(Chat, Ask($"{Tools}, \"response_format\": {{\"type\": \"json_object\"}}, \"temperature\": 2, \"seed\": {seed}, \"max_tokens\": 120"))).GetProperty("choices")[0];
            var called = choice.GetProperty("message").TryGetProperty("tool_calls", out _);
            Assert.Equal(called ? "tool_calls" : "stop", choice.GetProperty("finish_reason").GetString());
            if (!called)
                JsonDocument.Parse(choice.GetProperty("message").GetProperty("content").GetString()!).Dispose();
        }
    }

    [Theory]
    [InlineData("assistant\\n<think>\\n", true)]
    [InlineData("assistant\\n", false)]
    public async Task A_form_is_held_after_a_thought_and_thoughts_have_a_place_of_their_own(string opening, bool thinks)
    {
        var source = TinyTemplate(opening);
        await using var server = await TestServer.StartAsync(o => o with { ChatTemplate = source });
        var members = """ "response_format": {"type": "json_object"}, "temperature": 2, "seed": 5, "max_tokens": 90 """;
        var whole = await server.JsonAsync(Chat, Ask(members));
        var message = whole.GetProperty("choices")[0].GetProperty("message");
        JsonDocument.Parse(message.GetProperty("content").GetString()!).Dispose();
        // A model whose prompt opens no thought may open one itself.
        thinks |= message.TryGetProperty("reasoning_content", out var thought);
        Assert.Equal(thinks, thought.ValueKind == JsonValueKind.String);
        Assert.Equal(thinks, whole.GetProperty("usage").GetProperty("completion_tokens_details").GetProperty("reasoning_tokens").GetInt32() > 0);
        var deltas = (await server.EventsAsync(Chat, Ask(members + ", \"stream\": true"))).SelectMany(e => e.GetProperty("choices").EnumerateArray()).Select(c => c.GetProperty("delta")).ToList();
        Assert.Equal(message.GetProperty("content").GetString(), Joined("content"));
        Assert.Equal(thinks ? thought.GetString() : "", Joined("reasoning_content"));

        string Joined(string name) => string.Concat(deltas.Select(delta => delta.TryGetProperty(name, out var text) ? text.GetString() : ""));
    }

    static string TinyTemplate(string opening) =>
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>" + opening + "' }}{% endif %}";
}
