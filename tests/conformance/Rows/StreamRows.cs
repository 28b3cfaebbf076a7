using System.Text.Json;

namespace Serving.Conformance.Rows;

/// <summary>Part 4: streams of a chat.</summary>
static class StreamRows
{
    const string Stream = """ "stream": true """;
    const string Long = """[{"role": "user", "content": "Tell me a very long story about été."}]""";

    public static readonly Section All = new("4 Streaming", Ask.Chat)
    {
        { "headers are those of a stream", Ask.Chatting(Stream), reply =>
        {
            Assert.Equal(("text/event-stream; charset=utf-8", "no-cache", "no"), (reply.Header("Content-Type"), reply.Header("Cache-Control"), reply.Header("X-Accel-Buffering")));
            Assert.DoesNotContain("Content-Encoding", reply.Headers.Keys);
        } },
        { "an error before the first token has its own status", Ask.Chatting(""" "stream": true, "temperature": 3 """), 400, "temperature", "decimal_above_max_value" },
        { "frames are data lines, the last is [DONE]", Ask.Chatting(Stream), reply => Assert.NotEmpty(reply.Events()) },
        { "a chunk has id, object, created, model, system_fingerprint and choices", Ask.Chatting(Stream), reply =>
            Assert.All(reply.Events(), chunk =>
            {
                Assert.Equal("chat.completion.chunk", chunk.Text("object"));
                foreach (var name in (string[])["id", "created", "model", "system_fingerprint", "choices"])
                    Assert.Equal(name == "choices" ? chunk.At(name).ToString() : reply.Events()[0].At(name).ToString(), chunk.At(name).ToString());
            }) },
        { "the first chunk has the role", Ask.Chatting(Stream), reply =>
        {
            var first = reply.Events()[0].At("choices.0");
            Assert.Equal("""{"role":"assistant","content":"","refusal":null}""", first.At("delta").ToString());
            Assert.Equal(JsonValueKind.Null, first.At("finish_reason").ValueKind);
        } },
        { "the last chunk has an empty delta and the reason", Ask.Chatting(Stream), reply =>
        {
            var last = reply.Events()[^1].At("choices.0");
            Assert.Equal(("{}", "length"), (last.At("delta").ToString(), last.Text("finish_reason")));
        } },
        { "the pieces make the answer that is not streamed", "byte for byte", target => SameAsync(target, Ask.Saying(Long, """ "max_tokens": 60 """)) },
        { "also at a temperature, with a seed", "byte for byte", target => SameAsync(target, Ask.Saying(Long, """ "max_tokens": 40, "temperature": 1.3, "seed": 9 """)) },
        { "also where a stop text ends it", "byte for byte", target => SameAsync(target, Ask.Saying(Long, """ "max_tokens": 60, "stop": [" the", "."] """)) },
        { "also for several choices", "byte for byte", target => SameAsync(target, Ask.Saying(Long, """ "max_tokens": 20, "temperature": 1, "seed": 3, "n": 3 """)) },
        { "no usage unless asked for", Ask.Chatting(Stream), reply => Assert.All(reply.Events(), chunk => Assert.False(chunk.Has("usage"))) },
        { "usage comes last, with no choices", Ask.Chatting(""" "stream": true, "stream_options": {"include_usage": true} """), reply =>
        {
            var events = reply.Events();
            Assert.All(events.SkipLast(1), chunk => Assert.Equal(JsonValueKind.Null, chunk.At("usage").ValueKind));
            Assert.Empty(events[^1].At("choices").EnumerateArray());
            Assert.Equal(6, events[^1].Number("usage.completion_tokens"));
        } },
        { "include_obfuscation is accepted", Ask.Chatting(""" "stream": true, "stream_options": {"include_obfuscation": false} """), reply => Assert.DoesNotContain("x-ignored-parameters", reply.Headers.Keys) },
        { "every choice has its chunks", Ask.Chatting(""" "stream": true, "n": 2 """), reply =>
            Assert.Equal([0, 1], reply.Events().Select(chunk => chunk.Number("choices.0.index")).Distinct().Order()) },
        { "logprobs go with their text", Ask.Chatting(""" "stream": true, "logprobs": true """), reply =>
            Assert.All(reply.Events().Where(c => c.At("choices.0.delta").Has("content") && c.Text("choices.0.delta.content") != ""), chunk =>
                Assert.Equal(chunk.Text("choices.0.delta.content"), string.Concat(chunk.At("choices.0.logprobs.content").EnumerateArray().Select(t => t.Text("token"))))) },
        { "a client that leaves gives its pages back", "`serving_cache_pages{state=\"held\"}` falls to 0", LeavingAsync },
    };

    static async Task SameAsync(Target target, string body)
    {
        var whole = (await target.PostAsync(Ask.Chat, body)).CheckStatus(200)["choices"].EnumerateArray()
            .Select(c => (c.Text("message.content"), c.Text("finish_reason"))).ToArray();
        var texts = new (string? Text, string? Reason)[whole.Length];
        Array.Fill(texts, ("", null));
        foreach (var choice in (await target.PostAsync(Ask.Chat, body[..^1] + ", \"stream\": true}")).CheckStatus(200).Events().SelectMany(e => e.At("choices").EnumerateArray()))
        {
            ref var text = ref texts[choice.Number("index")];
            text = (text.Text + (choice.At("delta").Has("content") ? choice.Text("delta.content") : ""), choice.Text("finish_reason") ?? text.Reason);
        }
        Assert.Equal(whole, texts);
    }

    static async Task LeavingAsync(Target target)
    {
        var stop = TestContext.Current.CancellationToken;
        using (var request = target.Message(HttpMethod.Post, Ask.Chat, Ask.Saying(Long, """ "stream": true, "max_tokens": 1500, "ignore_eos": true """), []))
        using (var reply = await target.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop))
        using (var lines = new StreamReader(await reply.Content.ReadAsStreamAsync(stop)))
            Assert.StartsWith("data: ", await lines.ReadLineAsync(stop));
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        while (!(await target.GetAsync("/metrics")).Body.Contains("serving_cache_pages{state=\"held\"} 0\n", StringComparison.Ordinal))
            await Task.Delay(20, patience.Token);
    }
}
