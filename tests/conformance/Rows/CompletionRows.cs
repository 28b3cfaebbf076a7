using System.Text.Json;

namespace Serving.Conformance.Rows;

/// <summary>Part 5: text completions.</summary>
static class CompletionRows
{
    public static readonly Section All = new("5 Text completions", Ask.Text)
    {
        { "a string is continued", Ask.Completing(), reply =>
        {
            Assert.StartsWith("cmpl-", reply.Json.Text("id"));
            Assert.Equal("text_completion", reply.Json.Text("object"));
            Assert.Equal(["finish_reason", "index", "logprobs", "text"], reply["choices.0"].EnumerateObject().Select(m => m.Name).Order(StringComparer.Ordinal));
            Assert.Equal(reply.Json.Number("usage.prompt_tokens") + reply.Json.Number("usage.completion_tokens"), reply.Json.Number("usage.total_tokens"));
        } },
        { "strings are continued in order, n choices each", Ask.Completing(""" "prompt": ["One,", "Two,"], "n": 2 """), reply =>
        {
            Assert.Equal([0, 1, 2, 3], reply["choices"].EnumerateArray().Select(c => c.Number("index")));
            Assert.Equal(reply.Json.Text("choices.0.text"), reply.Json.Text("choices.1.text"));
        } },
        { "token ids are continued", Ask.Completing(""" "prompt": [504, 3575, 282] """), reply => Assert.Equal(3, reply.Json.Number("usage.prompt_tokens")) },
        { "lists of token ids are continued", Ask.Completing(""" "prompt": [[504], [3575, 282]] """), reply => Assert.Equal(2, reply["choices"].GetArrayLength()) },
        { "prompt is required", Ask.With(), 400, "prompt", "missing_required_parameter" },
        { "prompt is not null", Ask.With(""" "prompt": null """), 400, "prompt", "invalid_type" },
        { "prompt is not empty text", Ask.With(""" "prompt": "" """), 400, "prompt", "empty_string" },
        { "prompt is not an empty list", Ask.With(""" "prompt": [] """), 400, "prompt", "empty_array" },
        { "no prompt of several is empty", Ask.With(""" "prompt": [[]] """), 400, "prompt[0]", "empty_array" },
        { "token ids are of the vocabulary", Ask.With(""" "prompt": [1, 99999999] """), 400, "prompt[1]", "invalid_value" },
        { "token ids are not negative", Ask.With(""" "prompt": [1, -1] """), 400, "prompt[1]", "invalid_value" },
        { "prompts are of one kind", Ask.With(""" "prompt": ["a", {}] """), 400, "prompt[1]", "invalid_type" },
        { "max_tokens is 16 unless it is said", Ask.Completing(""" "max_tokens": null, "ignore_eos": true """), reply => Assert.Equal(16, reply.Json.Number("usage.completion_tokens")) },
        { "max_tokens is at least 0", Ask.Completing(""" "max_tokens": -1 """), 400, "max_tokens", "integer_below_min_value" },
        { "prompt and answer fit the context", Ask.Completing(""" "max_tokens": 1000000 """), 400, "prompt", "context_length_exceeded", "1000000" },
        { "logprobs are four lists of one length", Ask.Completing(""" "logprobs": 2 """), reply =>
        {
            var logprobs = reply["choices.0.logprobs"];
            foreach (var list in (string[])["tokens", "token_logprobs", "top_logprobs", "text_offset"])
                Assert.Equal(4, logprobs.At(list).GetArrayLength());
            Assert.Equal(0, logprobs.Number("text_offset.0"));
        } },
        { "logprobs are a number", Ask.Completing(""" "logprobs": true """), 400, "logprobs", "invalid_type" },
        { "logprobs are at most 20", Ask.Completing(""" "logprobs": 21 """), 400, "logprobs", "integer_above_max_value" },
        { "echo puts the prompt first", Ask.Completing(""" "echo": true """), reply => Assert.StartsWith("The capital of France is", reply.Json.Text("choices.0.text")) },
        { "echo with logprobs and no answer scores the prompt", Ask.Completing(""" "echo": true, "logprobs": 1, "max_tokens": 0 """), reply =>
        {
            Assert.Equal("The capital of France is", reply.Json.Text("choices.0.text"));
            var scores = reply["choices.0.logprobs.token_logprobs"].EnumerateArray().ToArray();
            Assert.Equal(reply.Json.Number("usage.prompt_tokens"), scores.Length);
            Assert.Equal(JsonValueKind.Null, scores[0].ValueKind);
            Assert.All(scores.Skip(1), score => Assert.InRange(score.GetDouble(), -9999, 0));
        } },
        { "best_of keeps the likeliest", Ask.Completing(""" "best_of": 3, "temperature": 1, "seed": 1 """), reply => Assert.Equal(1, reply["choices"].GetArrayLength()) },
        { "best_of is at least n", Ask.Completing(""" "best_of": 1, "n": 2 """), 400, "best_of", "invalid_value" },
        { "best_of is at most 20", Ask.Completing(""" "best_of": 21 """), 400, "best_of", "integer_above_max_value" },
        { "best_of above n is not streamed", Ask.Completing(""" "best_of": 2, "stream": true """), 400, "best_of", "invalid_value" },
        { "suffix", Ask.Completing(""" "suffix": "b" """), 400, "suffix", "unsupported_parameter" },
        { "stop ends the text", Ask.Completing(""" "max_tokens": 40, "stop": "." """), reply => Assert.Equal("stop", reply.Json.Text("choices.0.finish_reason")) },
        { "a stream says the same", "byte for byte", async target =>
        {
            var whole = (await target.PostAsync(Ask.Text, Ask.Completing(""" "max_tokens": 30 """))).Json.Text("choices.0.text");
            var chunks = (await target.PostAsync(Ask.Text, Ask.Completing(""" "max_tokens": 30, "stream": true """))).Events();
            Assert.Equal(whole, string.Concat(chunks.Select(chunk => chunk.Text("choices.0.text"))));
            Assert.Equal("length", chunks[^1].Text("choices.0.finish_reason"));
        } },
        { "a stream's usage comes last", Ask.Completing(""" "stream": true, "stream_options": {"include_usage": true} """), reply => Assert.Equal(4, reply.Events()[^1].Number("usage.completion_tokens")) },
    };
}
