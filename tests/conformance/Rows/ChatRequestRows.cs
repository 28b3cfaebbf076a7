namespace Serving.Conformance.Rows;

/// <summary>Part 2: every field of a chat request.</summary>
static class ChatRequestRows
{
    static readonly Section Messages = new("2 Chat request: messages", Ask.Chat)
    {
        { "model is required", """{"messages": [{"role": "user", "content": "a"}]}""", 400, "model", "missing_required_parameter" },
        { "messages are required", Ask.With(), 400, "messages", "missing_required_parameter" },
        { "messages are a list", Ask.Saying("\"a\""), 400, "messages", "invalid_type" },
        { "a message is an object", Ask.Saying("[1]"), 400, "messages[0]", "invalid_type" },
        { "a role is required", Ask.Saying("""[{"content": "a"}]"""), 400, "messages[0].role", "missing_required_parameter" },
        { "a role is one of six", Ask.Saying("""[{"role": "king", "content": "a"}]"""), 400, "messages[0].role", "invalid_value" },
        { "developer, system, user and assistant speak", Ask.Saying("""
            [{"role": "developer", "content": "a"}, {"role": "system", "content": "b"}, {"role": "user", "content": "c"},
             {"role": "assistant", "content": "d"}, {"role": "user", "content": "e"}]
            """), Answered },
        { "content may be text parts, joined in order", "the same answer", async target => Assert.Equal(
            await SaidAsync(target, """[{"role": "user", "content": "Say hello."}]"""),
            await SaidAsync(target, """[{"role": "user", "content": [{"type": "text", "text": "Say "}, {"type": "text", "text": "hello."}]}]""")) },
        { "content is required", Ask.Saying("""[{"role": "user"}]"""), 400, "messages[0].content", "missing_required_parameter" },
        { "content is null only beside tool calls", Ask.Saying("""[{"role": "user", "content": null}]"""), 400, "messages[0].content", "invalid_type" },
        { "a part of a kind that is not read", Ask.Saying("""[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a"}}]}]"""), 400, "messages[0].content[0].type", "unsupported_value" },
        { "a part has a type", Ask.Saying("""[{"role": "user", "content": [{"text": "a"}]}]"""), 400, "messages[0].content[0].type", "missing_required_parameter" },
        { "parts are not empty", Ask.Saying("""[{"role": "user", "content": []}]"""), 400, "messages[0].content", "empty_array" },
        { "a name has 1 to 64 plain characters", Ask.Saying("""[{"role": "user", "content": "a", "name": "a b"}]"""), 400, "messages[0].name", "invalid_value" },
        { "a tool answer names a call", Ask.Saying("""[{"role": "tool", "content": "a", "tool_call_id": "x"}]"""), 400, "messages[0].tool_call_id", "invalid_value" },
        { "a call is answered before the user speaks", Ask.Saying("""[{"role": "assistant", "tool_calls": [{"id": "x", "function": {"name": "f", "arguments": "{}"}}]}, {"role": "user", "content": "a"}]"""), 400, "messages[1]", "invalid_value" },
        { "audio in history", Ask.Saying("""[{"role": "assistant", "content": "a", "audio": {"id": "x"}}]"""), 400, "messages[0].audio", "unsupported_parameter" },
        { "refusal and annotations in history are passed over", Ask.Saying("""[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "refusal": null, "annotations": []}, {"role": "user", "content": "c"}]"""), Answered },
    };

    static readonly Section Lengths = new("2 Chat request: lengths and choices", Ask.Chat)
    {
        { "max_completion_tokens is at least 1", Ask.Chatting(""" "max_tokens": null, "max_completion_tokens": 0 """), 400, "max_completion_tokens", "integer_below_min_value" },
        { "max_completion_tokens is an integer", Ask.Chatting(""" "max_completion_tokens": 1.5 """), 400, "max_completion_tokens", "invalid_type" },
        { "max_completion_tokens bounds the answer", Ask.Chatting(""" "max_tokens": null, "max_completion_tokens": 2 """), reply => Assert.Equal(2, reply.Json.Number("usage.completion_tokens")) },
        { "max_tokens is at least 1", Ask.Chatting(""" "max_tokens": 0 """), 400, "max_tokens", "integer_below_min_value" },
        { "max_tokens and max_completion_tokens differ", Ask.Chatting(""" "max_tokens": 1, "max_completion_tokens": 2 """), 400, "max_tokens", "invalid_parameter_combination" },
        { "an answer over the context is not shortened", Ask.Chatting(""" "max_tokens": 1000000 """), 400, "messages", "context_length_exceeded" },
        { "unless the server was told to", Ask.Chatting(""" "max_tokens": 1000000, "ignore_eos": true """), reply => Assert.Equal(64, reply.Json.Number("usage.total_tokens")), Setup.Clamped },
        { "n gives n choices that share a prompt", Ask.Chatting(""" "n": 3, "temperature": 1, "seed": 5 """), reply =>
        {
            Assert.Equal([0, 1, 2], reply["choices"].EnumerateArray().Select(c => c.Number("index")));
            Assert.True(reply.Json.Number("usage.completion_tokens") > 6);
        } },
        { "n is at most 128", Ask.Chatting(""" "n": 129 """), 400, "n", "integer_above_max_value" },
        { "n of temperature 0 says the same n times", Ask.Chatting(""" "n": 2 """), reply => Assert.Equal(reply.Json.Text("choices.0.message.content"), reply.Json.Text("choices.1.message.content")) },
    };

    static readonly Section Sampling = new("2 Chat request: sampling", Ask.Chat)
    {
        { "temperature is at most 2", Ask.Chatting(""" "temperature": 2.1 """), 400, "temperature", "decimal_above_max_value" },
        { "temperature is a number", Ask.Chatting(""" "temperature": "hot" """), 400, "temperature", "invalid_type" },
        { "temperature 0 is greedy", "the same answer twice", async target => Assert.Equal(await SaidAsync(target, Hello), await SaidAsync(target, Hello)) },
        { "top_p 0 takes the likeliest", "the greedy answer", async target => Assert.Equal(
            await SaidAsync(target, Hello), await SaidAsync(target, Hello, """ "temperature": 1, "top_p": 0, "max_tokens": 6 """)) },
        { "top_p is at least 0", Ask.Chatting(""" "top_p": -0.1 """), 400, "top_p", "decimal_below_min_value" },
        { "presence_penalty is at most 2", Ask.Chatting(""" "presence_penalty": 2.1 """), 400, "presence_penalty", "decimal_above_max_value" },
        { "presence_penalty is at least -2", Ask.Chatting(""" "presence_penalty": -2.1 """), 400, "presence_penalty", "decimal_below_min_value" },
        { "frequency_penalty is at most 2", Ask.Chatting(""" "frequency_penalty": 2.1 """), 400, "frequency_penalty", "decimal_above_max_value" },
        { "frequency_penalty is at least -2", Ask.Chatting(""" "frequency_penalty": -2.1 """), 400, "frequency_penalty", "decimal_below_min_value" },
        { "penalties are accepted", Ask.Chatting(""" "presence_penalty": 1.5, "frequency_penalty": -0.5 """), Answered },
        { "logit_bias names token ids", Ask.Chatting(""" "logit_bias": {"a": 1} """), 400, "logit_bias", "invalid_value" },
        { "logit_bias names tokens of the vocabulary", Ask.Chatting(""" "logit_bias": {"99999999": 1} """), 400, "logit_bias", "invalid_value" },
        { "logit_bias lies between -100 and 100", Ask.Chatting(""" "logit_bias": {"1": 101} """), 400, "logit_bias.1", "decimal_above_max_value" },
        { "logit_bias 100 forces a token", Ask.Chatting(""" "logit_bias": {"30": 100}, "max_tokens": 3, "return_token_ids": true """), reply =>
            Assert.All(reply["choices.0.token_ids"].EnumerateArray(), id => Assert.Equal(30, id.GetInt32())) },
        { "seed is an integer", Ask.Chatting(""" "seed": 1.5 """), 400, "seed", "invalid_type" },
        { "a seed draws the same tokens again", "the same answer twice", async target => Assert.Equal(
            await SaidAsync(target, Hello, """ "temperature": 1.5, "seed": 42, "max_tokens": 12 """), await SaidAsync(target, Hello, """ "temperature": 1.5, "seed": 42, "max_tokens": 12 """)) },
        { "stop is a string or a list", Ask.Chatting(""" "stop": 5 """), 400, "stop", "invalid_type" },
        { "a stop of a list is not empty", Ask.Chatting(""" "stop": ["a", ""] """), 400, "stop[1]", "empty_string" },
        { "a stop ends the answer and is not sent", Ask.Saying("""[{"role": "user", "content": "List three fruits."}]""", """ "max_tokens": 30, "stop": ["2."] """), reply =>
        {
            Assert.DoesNotContain("2.", reply.Json.Text("choices.0.message.content"));
            Assert.Equal("stop", reply.Json.Text("choices.0.finish_reason"));
        } },
        { "stream is true or false", Ask.Chatting(""" "stream": "yes" """), 400, "stream", "invalid_type" },
        { "stream_options need stream", Ask.Chatting(""" "stream_options": {"include_usage": true} """), 400, "stream_options", "invalid_value" },
        { "top_logprobs need logprobs", Ask.Chatting(""" "top_logprobs": 2 """), 400, "top_logprobs", "invalid_value" },
        { "top_logprobs are at most 20", Ask.Chatting(""" "logprobs": true, "top_logprobs": 21 """), 400, "top_logprobs", "integer_above_max_value" },
        { "logprobs is true or false", Ask.Chatting(""" "logprobs": 1 """), 400, "logprobs", "invalid_type" },
    };

    static readonly Section Extensions = new("2 Chat request: the rest", Ask.Chat)
    {
        { "user, safety_identifier, metadata and caching hints are accepted", Ask.Chatting(""" "user": "u", "safety_identifier": "s", "metadata": {"a": "b"}, "prompt_cache_key": "k", "prompt_cache_retention": "24h" """), NothingIgnored },
        { "metadata has at most 16 keys", Ask.Chatting($$""" "metadata": { {{string.Join(", ", Enumerable.Range(0, 17).Select(i => $"\"k{i}\": \"v\""))}} } """), 400, "metadata", "invalid_value" },
        { "metadata values are strings", Ask.Chatting(""" "metadata": {"a": 1} """), 400, "metadata.a", "invalid_type" },
        { "service_tier is one of five", Ask.Chatting(""" "service_tier": "fast" """), 400, "service_tier", "invalid_value" },
        { "service_tier comes back as default", Ask.Chatting(""" "service_tier": "auto" """), reply => Assert.Equal("default", reply.Json.Text("service_tier")) },
        { "store is accepted", Ask.Chatting(""" "store": true """), NothingIgnored },
        { "modalities are text", Ask.Chatting(""" "modalities": ["text", "audio"] """), 400, "modalities", "unsupported_value" },
        { "audio", Ask.Chatting(""" "audio": {"voice": "a", "format": "mp3"} """), 400, "audio", "unsupported_parameter" },
        { "web_search_options", Ask.Chatting(""" "web_search_options": {} """), 400, "web_search_options", "unsupported_parameter" },
        { "moderation", Ask.Chatting(""" "moderation": {} """), 400, "moderation", "unsupported_parameter" },
        { "prediction is passed over", Ask.Chatting(""" "prediction": {"type": "content", "content": "a"} """), NothingIgnored },
        { "functions", Ask.Chatting(""" "functions": [{"name": "f"}] """), 400, "functions", "unsupported_parameter" },
        { "function_call", Ask.Chatting(""" "function_call": "auto" """), 400, "function_call", "unsupported_parameter" },
        { "reasoning_effort is one of a few", Ask.Chatting(""" "reasoning_effort": "huge" """), 400, "reasoning_effort", "invalid_value" },
        { "verbosity is one of three", Ask.Chatting(""" "verbosity": "huge" """), 400, "verbosity", "invalid_value" },
        { "reasoning_effort and verbosity are accepted", Ask.Chatting(""" "reasoning_effort": "low", "verbosity": "low" """), NothingIgnored },
        { "top_k is at least -1", Ask.Chatting(""" "top_k": -2 """), 400, "top_k", "integer_below_min_value" },
        { "min_p is at most 1", Ask.Chatting(""" "min_p": 1.1 """), 400, "min_p", "decimal_above_max_value" },
        { "repetition_penalty is above 0", Ask.Chatting(""" "repetition_penalty": 0 """), 400, "repetition_penalty", "decimal_below_min_value" },
        { "min_tokens is at least 0", Ask.Chatting(""" "min_tokens": -1 """), 400, "min_tokens", "integer_below_min_value" },
        { "stop_token_ids are of the vocabulary", Ask.Chatting(""" "stop_token_ids": [99999999] """), 400, "stop_token_ids[0]", "invalid_value" },
        { "chat_template_kwargs may not replace the messages", Ask.Chatting(""" "chat_template_kwargs": {"messages": []} """), 400, "chat_template_kwargs", "invalid_value" },
        { "vLLM's extensions are known", Ask.Chatting("""
            "top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1, "min_tokens": 1, "ignore_eos": true, "stop_token_ids": [0], "skip_special_tokens": false,
            "include_stop_str_in_output": true, "add_generation_prompt": true, "chat_template_kwargs": {"a": 1}, "priority": 1, "cache_salt": "s",
            "return_token_ids": true, "prompt_logprobs": 1, "request_id": "r1", "truncate_prompt_tokens": 100
            """), NothingIgnored },
        { "a request_id is in the reply's id", Ask.Chatting(""" "request_id": "mine" """), reply => Assert.Equal("chatcmpl-mine", reply.Json.Text("id")) },
    };

    static readonly Section Formats = new("2 Chat request: formats", Ask.Chat)
    {
        { "json_object is an object", Ask.Saying("""[{"role": "user", "content": "Give JSON."}]""", """ "max_tokens": 60, "response_format": {"type": "json_object"} """), reply =>
            Assert.Equal(System.Text.Json.JsonValueKind.Object, System.Text.Json.JsonDocument.Parse(reply.Json.Text("choices.0.message.content")!).RootElement.ValueKind) },
        { "json_schema keeps the schema", Ask.Saying("""[{"role": "user", "content": "Name a colour."}]""", """ "max_tokens": 40, "response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": {"type": "object", "properties": {"c": {"enum": ["red", "blue"]}}, "required": ["c"], "additionalProperties": false}}} """), reply =>
            Assert.Contains(System.Text.Json.JsonDocument.Parse(reply.Json.Text("choices.0.message.content")!).RootElement.Text("c"), (string[])["red", "blue"]) },
        { "json_schema is required for its type", Ask.Chatting(""" "response_format": {"type": "json_schema"} """), 400, "response_format.json_schema", "missing_required_parameter" },
        { "a schema's name has 1 to 64 plain characters", Ask.Chatting(""" "response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}} """), 400, "response_format.json_schema.name", "invalid_value" },
        { "a keyword that is not served is named", Ask.Chatting(""" "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "contains": {}}}} """), 400, "response_format.json_schema.schema", "invalid_value", "contains" },
        { "a regular expression is kept", Ask.Chatting(""" "structured_outputs": {"regex": "[0-9]{3}"}, "max_tokens": 20 """), reply => Assert.Matches("^[0-9]{3}$", reply.Json.Text("choices.0.message.content")) },
        { "a choice is one of them", Ask.Chatting(""" "structured_outputs": {"choice": ["north", "south"]}, "max_tokens": 20 """), reply => Assert.Contains(reply.Json.Text("choices.0.message.content"), (string[])["north", "south"]) },
    };

    static readonly Section FormatTypes = new("2 Chat request: types of formats", Ask.Chat)
    {
        { "response_format text is accepted", Ask.Chatting(""" "response_format": {"type": "text"} """), NothingIgnored },
        { "response_format has a type", Ask.Chatting(""" "response_format": {} """), 400, "response_format.type", "missing_required_parameter" },
        { "response_format is one of three types", Ask.Chatting(""" "response_format": {"type": "xml"} """), 400, "response_format.type", "invalid_value" },
    };

    static readonly Section Tools = new("2 Chat request: tools", Ask.Chat)
    {
        { "tools are not empty", Ask.Chatting(""" "tools": [] """), 400, "tools", "empty_array" },
        { "two tools of one name", Ask.Chatting($$""" "tools": [{{Tool}}, {{Tool}}] """), 400, "tools[1].function.name", "invalid_value" },
        { "a tool's name is plain", Ask.Chatting(""" "tools": [{"type": "function", "function": {"name": "a b"}}] """), 400, "tools[0].function.name", "invalid_value" },
        { "a custom tool", Ask.Chatting(""" "tools": [{"type": "custom", "custom": {"name": "a"}}] """), 400, "tools[0].type", "unsupported_value" },
        { "tool_choice needs tools", Ask.Chatting(""" "tool_choice": "auto" """), 400, "tool_choice", "invalid_value" },
        { "tool_choice names a tool that is there", Ask.Chatting($$""" "tools": [{{Tool}}], "tool_choice": {"type": "function", "function": {"name": "g"} } """), 400, "tool_choice.function.name", "invalid_value" },
        { "an answered call is a conversation", Ask.Saying("""
            [{"role": "user", "content": "c"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"} }]},
             {"role": "tool", "tool_call_id": "x", "content": "d"}, {"role": "user", "content": "e"}]
            """, $""" "tools": [{Tool}] """), Answered },
        { "tool_choice none calls nothing", Ask.Chatting($$""" "tools": [{{Tool}}], "tool_choice": "none" """), reply => Assert.False(reply["choices.0.message"].Has("tool_calls")) },
        { "a named tool is called, and the reason is stop", Ask.Chatting($$""" "tools": [{{Tool}}], "tool_choice": {"type": "function", "function": {"name": "f"} }, "max_tokens": 60 """), reply =>
        {
            Assert.Equal("f", reply.Json.Text("choices.0.message.tool_calls.0.function.name"));
            Assert.Equal("stop", reply.Json.Text("choices.0.finish_reason"));
        } },
        { "a required tool is called, and the reason is tool_calls", Ask.Chatting($$""" "tools": [{{Tool}}], "tool_choice": "required", "parallel_tool_calls": false, "max_tokens": 60 """), reply =>
        {
            var call = Assert.Single(reply["choices.0.message.tool_calls"].EnumerateArray());
            Assert.Equal(("function", "f"), (call.Text("type"), call.Text("function.name")));
            Assert.NotEmpty(call.Text("id")!);
            _ = System.Text.Json.JsonDocument.Parse(call.Text("function.arguments")!);
            Assert.Equal("tool_calls", reply.Json.Text("choices.0.finish_reason"));
        } },
    };

    public static IEnumerable<Row> All => [.. Messages, .. Lengths, .. Sampling, .. Extensions, .. FormatTypes, .. Formats, .. Tools];

    const string Tool = """{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"x": {"enum": ["a", "b"]}}, "required": ["x"], "additionalProperties": false}}}""";

    const string Hello = """[{"role": "user", "content": "Say hello."}]""";

    static void Answered(Reply reply) => Assert.Equal("assistant", reply.Json.Text("choices.0.message.role"));

    static void NothingIgnored(Reply reply) => Assert.DoesNotContain("x-ignored-parameters", reply.Headers.Keys);

    static async Task<string?> SaidAsync(Target target, string messages, string members = """ "max_tokens": 6 """) =>
        (await target.PostAsync(Ask.Chat, Ask.Saying(messages, members))).CheckStatus(200).Json.Text("choices.0.message.content");
}
