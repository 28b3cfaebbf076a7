using System.Text.Json;

namespace Serving.Conformance.Rows;

/// <summary>Part 3: the reply of a chat that is not streamed.</summary>
static class ChatReplyRows
{
    public static readonly Section All = new("3 Chat reply", Ask.Chat)
    {
        { "id begins with chatcmpl- and is new each time", "", async target =>
        {
            var (first, second) = (await IdAsync(target), await IdAsync(target));
            Assert.StartsWith("chatcmpl-", first);
            Assert.NotEqual(first, second);
        } },
        { "object is chat.completion", Ask.Chatting(), reply => Assert.Equal("chat.completion", reply.Json.Text("object")) },
        { "created is now, in seconds", Ask.Chatting(), reply => Assert.InRange(DateTimeOffset.FromUnixTimeSeconds(reply["created"].GetInt64()), DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(5)) },
        { "model is the name that was asked for", "", async target => Assert.Equal(target.Model, (await target.PostAsync(Ask.Chat, Ask.Chatting())).Json.Text("model")) },
        { "a choice has all four members", Ask.Chatting(), reply =>
        {
            Assert.Equal(["finish_reason", "index", "logprobs", "message"], Names(reply["choices.0"]));
            Assert.Equal(JsonValueKind.Null, reply["choices.0.logprobs"].ValueKind);
        } },
        { "a message has role, content and refusal, and no empty tool_calls", Ask.Chatting(), reply =>
        {
            Assert.Equal(["content", "refusal", "role"], Names(reply["choices.0.message"]));
            Assert.Equal(("assistant", null), (reply.Json.Text("choices.0.message.role"), reply.Json.Text("choices.0.message.refusal")));
        } },
        { "finish_reason is length where the budget ends", Ask.Chatting(""" "max_tokens": 1 """), reply => Assert.Equal("length", reply.Json.Text("choices.0.finish_reason")) },
        { "finish_reason is stop at a stop text", Ask.Chatting(""" "stop": ["e", "o", "a", "i"] """), reply => Assert.Equal("stop", reply.Json.Text("choices.0.finish_reason")) },
        { "logprobs have every token with text, bytes and alternatives", Ask.Chatting(""" "logprobs": true, "top_logprobs": 3 """), reply =>
        {
            var content = reply["choices.0.logprobs.content"].EnumerateArray().ToArray();
            Assert.Equal(reply.Json.Number("usage.completion_tokens"), content.Length);
            Assert.Equal(reply.Json.Text("choices.0.message.content"), string.Concat(content.Select(token => token.Text("token"))));
            Assert.All(content, Token);
            Assert.Equal(JsonValueKind.Null, reply["choices.0.logprobs.refusal"].ValueKind);
        } },
        { "a chosen token has its logprob even without alternatives", Ask.Chatting(""" "logprobs": true """), reply => Assert.Empty(reply["choices.0.logprobs.content.0.top_logprobs"].EnumerateArray()) },
        { "an impossible logprob is -9999", Ask.Chatting(""" "logprobs": true, "top_logprobs": 20, "allowed_token_ids": [30], "max_tokens": 1 """), reply =>
            Assert.All(reply["choices.0.logprobs.content.0.top_logprobs"].EnumerateArray(), t => Assert.InRange(t.At("logprob").GetDouble(), -9999, 0)) },
        { "usage adds up and counts the prompt once", Ask.Chatting(""" "n": 2, "temperature": 1, "ignore_eos": true """), reply =>
        {
            var usage = reply["usage"];
            Assert.Equal(12, usage.Number("completion_tokens"));
            Assert.Equal(usage.Number("prompt_tokens") + 12, usage.Number("total_tokens"));
            Assert.InRange(usage.Number("prompt_tokens"), 5, 60);
        } },
        { "usage tells cached tokens", "of a long prompt sent twice", async target =>
        {
            var body = Ask.Saying($$"""[{"role": "user", "content": "{{string.Join(' ', Enumerable.Range(0, 150))}}"}]""");
            await target.PostAsync(Ask.Chat, body);
            var second = await target.PostAsync(Ask.Chat, body);
            Assert.InRange(second.Json.Number("usage.prompt_tokens_details.cached_tokens"), 64, second.Json.Number("usage.prompt_tokens"));
        } },
        { "system_fingerprint stays the same", "", async target => Assert.Equal(
            (await target.PostAsync(Ask.Chat, Ask.Chatting())).Json.Text("system_fingerprint"), (await target.PostAsync(Ask.Chat, Ask.Chatting(""" "seed": 1 """))).Json.Text("system_fingerprint")) },
        { "service_tier is default", Ask.Chatting(), reply => Assert.Equal("default", reply.Json.Text("service_tier")) },
    };

    static void Token(JsonElement token)
    {
        Assert.Equal(["bytes", "logprob", "token", "top_logprobs"], Names(token));
        Assert.InRange(token.At("logprob").GetDouble(), -9999, 0);
        Assert.Equal(token.Text("token"), System.Text.Encoding.UTF8.GetString([.. token.At("bytes").EnumerateArray().Select(b => b.GetByte())]));
        Assert.InRange(token.At("top_logprobs").GetArrayLength(), 3, 4);
        Assert.All(token.At("top_logprobs").EnumerateArray(), t => Assert.Equal(["bytes", "logprob", "token"], Names(t)));
    }

    static IEnumerable<string> Names(JsonElement json) => json.EnumerateObject().Select(m => m.Name).Order(StringComparer.Ordinal);

    static async Task<string> IdAsync(Target target) => (await target.PostAsync(Ask.Chat, Ask.Chatting())).Json.Text("id")!;
}
