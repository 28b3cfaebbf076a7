using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace Serving.Conformance.Rows;

/// <summary>Part 6: the other routes.</summary>
static class RouteRows
{
    static readonly Section Models = new("6 Models", "/v1/models")
    {
        { "models are listed", "", async target =>
        {
            var list = (await target.GetAsync("/v1/models")).CheckStatus(200);
            Assert.Equal("list", list.Json.Text("object"));
            Assert.All(list["data"].EnumerateArray(), model =>
            {
                Assert.Equal("model", model.Text("object"));
                Assert.NotEmpty(model.Text("owned_by")!);
                Assert.True(model.Number("max_model_len") > 0);
            });
        } },
        { "created does not change", "", async target =>
        {
            var first = (await target.GetAsync("/v1/models"))["data.0.created"].GetInt64();
            await Task.Delay(1100, TestContext.Current.CancellationToken);
            Assert.Equal(first, (await target.GetAsync("/v1/models"))["data.0.created"].GetInt64());
        } },
        { "a model is found by its id", "", async target => Assert.Equal(target.Model, (await target.GetAsync("/v1/models/$MODEL")).CheckStatus(200).Json.Text("id")) },
        { "an unknown id, with slashes", "404 `model_not_found`", async target => (await target.GetAsync("/v1/models/org/nobody%2Fhere")).CheckRefused(404, "model", "model_not_found") },
        { "models are not deleted", "405", async target => (await target.SendAsync(HttpMethod.Delete, "/v1/models/$MODEL", null, [])).CheckRefused(405, null, "method_not_supported") },
    };

    static readonly Section Embeddings = new("6 Embeddings", Ask.Embed)
    {
        { "a string has an embedding", Ask.With(""" "input": "Hello" """), reply =>
        {
            Assert.Equal(("list", "embedding"), (reply.Json.Text("object"), reply.Json.Text("data.0.object")));
            Assert.True(reply["data.0.embedding"].GetArrayLength() > 1);
            Assert.Equal(reply.Json.Number("usage.prompt_tokens"), reply.Json.Number("usage.total_tokens"));
            Assert.Equal(["prompt_tokens", "total_tokens"], reply["usage"].EnumerateObject().Select(m => m.Name));
        } },
        { "strings have theirs in order", Ask.With(""" "input": ["Hello", "World", "Hello"] """), reply =>
        {
            Assert.Equal([0, 1, 2], reply["data"].EnumerateArray().Select(d => d.Number("index")));
            Assert.Equal(reply["data.0.embedding"].ToString(), reply["data.2.embedding"].ToString());
            Assert.NotEqual(reply["data.0.embedding"].ToString(), reply["data.1.embedding"].ToString());
        } },
        { "token ids have one", Ask.With(""" "input": [504, 3575] """), reply => Assert.Equal(2, reply.Json.Number("usage.prompt_tokens")) },
        { "lists of token ids have theirs", Ask.With(""" "input": [[504], [3575, 282]] """), reply => Assert.Equal(2, reply["data"].GetArrayLength()) },
        { "base64 holds the same numbers", "little-endian float32", async target =>
        {
            var plain = (await target.PostAsync(Ask.Embed, Ask.With(""" "input": "Hello" """)))["data.0.embedding"].EnumerateArray().Select(v => v.GetSingle());
            var packed = Convert.FromBase64String((await target.PostAsync(Ask.Embed, Ask.With(""" "input": "Hello", "encoding_format": "base64" """))).Json.Text("data.0.embedding")!);
            Assert.Equal(plain, packed.Chunk(4).Select(bytes => BinaryPrimitives.ReadSingleLittleEndian(bytes)));
        } },
        { "input is required", Ask.With(), 400, "input", "missing_required_parameter" },
        { "input is not an empty text", Ask.With(""" "input": "" """), 400, "input", "empty_string" },
        { "no text of several is empty", Ask.With(""" "input": ["a", ""] """), 400, "input[1]", "empty_string" },
        { "input is not an empty list", Ask.With(""" "input": [] """), 400, "input", "empty_array" },
        { "input has at most 2048 texts", Ask.With($$""" "input": [{{string.Join(", ", Enumerable.Repeat("\"a\"", 2049))}}] """), 400, "input", "array_above_max_length" },
        { "input is text or token ids", Ask.With(""" "input": {} """), 400, "input", "invalid_type" },
        { "encoding_format is one of two", Ask.With(""" "input": "a", "encoding_format": "hex" """), 400, "encoding_format", "invalid_value" },
        { "dimensions are at least 1", Ask.With(""" "input": "a", "dimensions": 0 """), 400, "dimensions", "integer_below_min_value" },
        { "dimensions of a model that has one size", Ask.With(""" "input": "a", "dimensions": 8 """), 400, "dimensions", "unsupported_parameter" },
        { "unknown members are refused", Ask.With(""" "input": "a", "zeta": 1 """), 400, "zeta", "unknown_parameter" },
        { "an input fits the context", Ask.With($$""" "input": [{{string.Join(", ", Enumerable.Repeat("504", 20_000))}}] """), 400, "input", "context_length_exceeded" },
        { "an unknown model", """{"model": "nobody", "input": "a"}""", 404, "model", "model_not_found" },
    };

    static readonly Section Responses = new("6 Responses", Ask.Respond)
    {
        { "a string is answered", Respond(), reply =>
        {
            Assert.StartsWith("resp_", reply.Json.Text("id"));
            Assert.Equal(("response", "message", "assistant", "output_text"), (reply.Json.Text("object"), reply.Json.Text("output.0.type"), reply.Json.Text("output.0.role"), reply.Json.Text("output.0.content.0.type")));
            Assert.Equal(reply.Json.Number("usage.input_tokens") + reply.Json.Number("usage.output_tokens"), reply.Json.Number("usage.total_tokens"));
        } },
        { "it says what a chat says", "the same text", async target => Assert.Equal(
            (await target.PostAsync(Ask.Chat, Ask.Chatting())).Json.Text("choices.0.message.content"),
            (await target.PostAsync(Ask.Respond, Respond(""" "max_output_tokens": 6 """))).Json.Text("output.0.content.0.text")) },
        { "an answer that was cut is incomplete", Respond(""" "max_output_tokens": 1 """), reply =>
            Assert.Equal(("incomplete", "max_output_tokens"), (reply.Json.Text("status"), reply.Json.Text("incomplete_details.reason"))) },
        { "items and instructions are a conversation", Respond("""
            "instructions": "Be brief.", "max_output_tokens": 4, "input": [{"role": "user", "content": "a"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]}, {"role": "user", "content": [{"type": "input_text", "text": "c"}]}]
            """), reply => Assert.Equal("Be brief.", reply.Json.Text("instructions")) },
        { "a stream has numbered events of every part", "the same response", StreamedAsync },
        { "logprobs are included when asked for", Respond(""" "max_output_tokens": 3, "include": ["message.output_text.logprobs"], "top_logprobs": 2 """), reply =>
            Assert.Equal(3, reply["output.0.content.0.logprobs"].GetArrayLength()) },
        { "a required function is called", Respond(""" "tool_choice": "required", "max_output_tokens": 60, "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"x": {"enum": ["a", "b"]}}, "required": ["x"], "additionalProperties": false}}] """), reply =>
        {
            Assert.Equal(("function_call", "f", "completed"), (reply.Json.Text("output.0.type"), reply.Json.Text("output.0.name"), reply.Json.Text("output.0.status")));
            Assert.Contains(JsonDocument.Parse(reply.Json.Text("output.0.arguments")!).RootElement.Text("x"), (string[])["a", "b"]);
            Assert.NotEmpty(reply.Json.Text("output.0.call_id")!);
        } },
        { "input is required", Ask.With(), 400, "input", "missing_required_parameter" },
        { "an item of another kind", Respond(""" "input": [{"type": "image_generation_call"}] """), 400, "input[0].type", "unsupported_value" },
        { "a mistake in an item has the item's path", Respond(""" "instructions": "a", "input": [{"role": "user", "content": "a"}, {"role": "king", "content": "a"}] """), 400, "input[1].role", "invalid_value" },
        { "max_output_tokens is at least 1", Respond(""" "max_output_tokens": 0 """), 400, "max_output_tokens", "integer_below_min_value" },
        { "the answer fits the context", Respond(""" "max_output_tokens": 1000000 """), 400, "input", "context_length_exceeded" },
        { "previous_response_id", Respond(""" "previous_response_id": "resp_1" """), 400, "previous_response_id", "unsupported_parameter" },
        { "conversation", Respond(""" "conversation": "c" """), 400, "conversation", "unsupported_parameter" },
        { "background", Respond(""" "background": true """), 400, "background", "unsupported_parameter" },
        { "tools of the server's own", Respond(""" "tools": [{"type": "web_search"}] """), 400, "tools[0].type", "unsupported_parameter" },
        { "an unknown model", """{"model": "nobody", "input": "a"}""", 404, "model", "model_not_found" },
    };

    static readonly Section Tokens = new("6 Tokenize and detokenize", "/tokenize")
    {
        { "a prompt has tokens", Ask.With(""" "prompt": "Hello world", "return_token_strs": true """), reply =>
        {
            Assert.Equal(reply.Json.Number("count"), reply["tokens"].GetArrayLength());
            Assert.Equal(reply.Json.Number("count"), reply["token_strs"].GetArrayLength());
            Assert.True(reply.Json.Number("max_model_len") > 0);
        } },
        { "messages have tokens, as many as their chat", "", async target => Assert.Equal(
            (await target.PostAsync(Ask.Chat, Ask.Saying("""[{"role": "user", "content": "Hi"}]"""))).Json.Number("usage.prompt_tokens"),
            (await target.PostAsync("/v1/tokenize", Ask.With(""" "messages": [{"role": "user", "content": "Hi"}] """))).CheckStatus(200).Json.Number("count")) },
        { "a prompt or messages are required", Ask.With(), 400, "prompt", "missing_required_parameter" },
        { "not both", Ask.With(""" "prompt": "a", "messages": [{"role": "user", "content": "Hi"}] """), 400, "messages", "invalid_parameter_combination" },
        { "an unknown model", """{"model": "nobody", "prompt": "a"}""", 404, "model", "model_not_found" },
        { "text comes back from its tokens", "byte for byte, of random text", RoundTripAsync },
        { "tokens are required", "400 `missing_required_parameter`", async target => (await target.PostAsync("/detokenize", Ask.With())).CheckRefused(400, "tokens", "missing_required_parameter") },
        { "tokens are of the vocabulary", "400 `invalid_value`", async target => (await target.PostAsync("/v1/detokenize", Ask.With(""" "tokens": [99999999] """))).CheckRefused(400, "tokens[0]", "invalid_value") },
    };

    static readonly Section Rest = new("6 Health, metrics and the rest", "/")
    {
        { "the process lives", "200 live", async target => Assert.Equal("live", (await target.GetAsync("/health/live")).CheckStatus(200).Json.Text("status")) },
        { "the server is ready", "200 ready", async target =>
        {
            Assert.Equal("ready", (await target.GetAsync("/health/ready")).CheckStatus(200).Json.Text("status"));
            Assert.Equal("ready", (await target.GetAsync("/health")).CheckStatus(200).Json.Text("status"));
        } },
        { "a server that loads lives and is not ready", "503 loading", async target =>
        {
            (await target.GetAsync("/health/live")).CheckStatus(200);
            Assert.Equal("loading", (await target.GetAsync("/health/ready")).CheckStatus(503).Json.Text("status"));
        }, Setup.Loading },
        { "metrics are Prometheus text", "`text/plain; version=0.0.4`", async target =>
        {
            var metrics = (await target.GetAsync("/metrics")).CheckStatus(200);
            Assert.Equal("text/plain; version=0.0.4; charset=utf-8", metrics.Header("Content-Type"));
            Assert.Contains("vllm:num_requests_running", metrics.Body);
        } },
        { "metrics are OpenMetrics by Accept", "ends with `# EOF`", async target =>
        {
            var metrics = (await target.GetAsync("/metrics", ("Accept", "application/openmetrics-text; version=1.0.0"))).CheckStatus(200);
            Assert.StartsWith("application/openmetrics-text", metrics.Header("Content-Type"));
            Assert.EndsWith("# EOF\n", metrics.Body);
        } },
        { "the version is told", "", async target => Assert.NotEmpty((await target.GetAsync("/version")).CheckStatus(200).Json.Text("version")!) },
        { "the interface is described", "OpenAPI 3", async target => Assert.StartsWith("3.", (await target.GetAsync("/openapi.json")).CheckStatus(200).Json.Text("openapi")) },
        { "no foreign origin is let in", "no `Access-Control-Allow-Origin`", async target =>
            Assert.DoesNotContain("Access-Control-Allow-Origin", (await target.GetAsync("/v1/models", ("Origin", "https://example.org"))).CheckStatus(200).Headers.Keys) },
        { "an origin that was named may ask, and see refusals", "`Access-Control-Allow-Origin`", async target =>
        {
            (string, string)[] asks = [("Origin", "https://example.org"), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization,content-type")];
            var preflight = await target.SendAsync(HttpMethod.Options, Ask.Chat, null, asks);
            Assert.Equal((204, "https://example.org"), (preflight.Status, preflight.Header("Access-Control-Allow-Origin")));
            Assert.Equal("https://example.org", (await target.GetAsync("/v1/models", asks[0])).CheckRefused(401, null, null).Header("Access-Control-Allow-Origin"));
            Assert.DoesNotContain("Access-Control-Allow-Origin", (await target.GetAsync("/v1/models", ("Origin", "https://example.com"))).Headers.Keys);
        }, Setup.Open },
        { "assistants", "404 `unknown_url`", async target => (await target.GetAsync("/v1/assistants")).CheckRefused(404, null, "unknown_url") },
        { "files", "404 `unknown_url`", async target => (await target.PostAsync("/v1/files", "{}")).CheckRefused(404, null, "unknown_url") },
    };

    public static IEnumerable<Row> All => [.. Models, .. Embeddings, .. Responses, .. Tokens, .. Rest];

    static string Respond(string members = "\"max_output_tokens\": 6") => Ask.With($""" "input": "Say hello.", "temperature": 0, {members} """);

    static async Task StreamedAsync(Target target)
    {
        var body = Respond(""" "max_output_tokens": 12, "seed": 1 """);
        var whole = (await target.PostAsync(Ask.Respond, body)).CheckStatus(200)["output.0.content.0"].ToString();
        var frames = (await target.PostAsync(Ask.Respond, body[..^1] + ", \"stream\": true}")).CheckStatus(200).Body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        var events = frames.Select(frame => (Name: frame.Split('\n')[0]["event: ".Length..], Json: JsonDocument.Parse(frame.Split('\n')[1]["data: ".Length..]).RootElement)).ToArray();
        Assert.All(events, (e, i) => Assert.Equal((e.Name, i), (e.Json.Text("type"), e.Json.Number("sequence_number"))));
        Assert.Equal(
            ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added", "response.output_text.delta",
                "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.incomplete"],
            events.Select(e => e.Name).Distinct());
        Assert.Equal(whole, events[^1].Json.At("response.output.0.content.0").ToString());
        Assert.Equal(JsonDocument.Parse(whole).RootElement.Text("text"), string.Concat(events.Where(e => e.Name == "response.output_text.delta").Select(e => e.Json.Text("delta"))));
    }

    static async Task RoundTripAsync(Target target)
    {
        var random = new Random(6);
        for (var round = 0; round < 20; round++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => new Rune(random.Next(3) == 0 ? random.Next(0x1F300, 0x1F600) : random.Next(0x20, 0x7F))));
            var tokens = (await target.PostAsync("/tokenize", Ask.With($$""" "add_special_tokens": false, "prompt": {{JsonSerializer.Serialize(text)}} """))).CheckStatus(200)["tokens"];
            Assert.Equal(text, (await target.PostAsync("/detokenize", Ask.With($$""" "tokens": {{tokens}} """))).CheckStatus(200).Json.Text("prompt"));
        }
    }
}
