using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Serving.Tests;

/// <summary>Every refusal of the contract: request in, status, type, param and code out.</summary>
public sealed class ErrorTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    const string Chat = "/v1/chat/completions", Text = "/v1/completions";

    static string Asking(string members) => $$"""{"model": "tiny", "messages": [{"role": "user", "content": "x"}], {{members}} }""";

    static string Completing(string members) => $$"""{"model": "tiny", "prompt": "x", "max_tokens": 2, {{members}} }""";

    public static TheoryData<string, string, int, string?, string?> Bodies => new()
    {
        { Chat, "{", 400, null, null },
        { Chat, "", 400, null, null },
        { Chat, "[]", 400, null, "invalid_type" },
        { Chat, "{}", 400, "model", "missing_required_parameter" },
        { Chat, """{"model": 1}""", 400, "model", "invalid_type" },
        { Chat, """{"model": "no"}""", 404, "model", "model_not_found" },
        { Chat, """{"model": "tiny"}""", 400, "messages", "missing_required_parameter" },
        { Chat, """{"model": "tiny", "messages": []}""", 400, "messages", "empty_array" },
        { Chat, """{"model": "tiny", "messages": "x"}""", 400, "messages", "invalid_type" },
        { Chat, """{"model": "tiny", "messages": [1]}""", 400, "messages[0]", "invalid_type" },
        { Chat, """{"model": "tiny", "messages": [{"content": "x"}]}""", 400, "messages[0].role", "missing_required_parameter" },
        { Chat, """{"model": "tiny", "messages": [{"role": "king", "content": "x"}]}""", 400, "messages[0].role", "invalid_value" },
        { Chat, """{"model": "tiny", "messages": [{"role": "user"}]}""", 400, "messages[0].content", "missing_required_parameter" },
        { Chat, """{"model": "tiny", "messages": [{"role": "user", "content": null}]}""", 400, "messages[0].content", "invalid_type" },
        { Chat, """{"model": "tiny", "messages": [{"role": "user", "content": 5}]}""", 400, "messages[0].content", "invalid_type" },
        { Chat, """{"model": "tiny", "messages": [{"role": "user", "content": "\ud800"}]}""", 400, "messages[0].content", "invalid_value" },
        { Chat, """{"model": "tiny", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}""", 400, "messages[0].content[0].type", "unsupported_value" },
        { Chat, """{"model": "tiny", "messages": [{"role": "user", "content": "x", "name": "a b"}]}""", 400, "messages[0].name", "invalid_value" },
        { Chat, """{"model": "tiny", "messages": [{"role": "tool", "content": "x", "tool_call_id": "a"}]}""", 400, "messages[0].tool_call_id", "invalid_value" },
        { Chat, """{"model": "tiny", "messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}, {"role": "user", "content": "x"}]}""", 400, "messages[1]", "invalid_value" },
        { Chat, """{"model": "tiny", "messages": [{"role": "assistant", "content": "x", "audio": {"id": "a"}}]}""", 400, "messages[0].audio", "unsupported_parameter" },
        { Chat, Asking(""" "max_completion_tokens": 0 """), 400, "max_completion_tokens", "integer_below_min_value" },
        { Chat, Asking(""" "max_completion_tokens": 1.5 """), 400, "max_completion_tokens", "invalid_type" },
        { Chat, Asking(""" "max_tokens": 1, "max_completion_tokens": 2 """), 400, "max_tokens", "invalid_parameter_combination" },
        { Chat, Asking(""" "max_tokens": 100000 """), 400, "messages", "context_length_exceeded" },
        { Chat, Asking(""" "seed": 9223372036854775808 """), 400, "seed", "integer_above_max_value" },
        { Chat, Asking(""" "seed": -9223372036854775809e1 """), 400, "seed", "integer_below_min_value" },
        { Chat, """{"\ud800": 1}""", 400, null, "invalid_value" },
        { Chat, Asking(""" "max_tokens": 1e30 """), 400, "max_tokens", "integer_above_max_value" },
        { Chat, Asking(""" "temperature": 2.5 """), 400, "temperature", "decimal_above_max_value" },
        { Chat, Asking(""" "temperature": -1 """), 400, "temperature", "decimal_below_min_value" },
        { Chat, Asking(""" "temperature": "hot" """), 400, "temperature", "invalid_type" },
        { Chat, Asking(""" "top_p": 1.1 """), 400, "top_p", "decimal_above_max_value" },
        { Chat, Asking(""" "n": 0 """), 400, "n", "integer_below_min_value" },
        { Chat, Asking(""" "n": 129 """), 400, "n", "integer_above_max_value" },
        { Chat, Asking(""" "stop": ["a", "b", "c", "d", "e"] """), 400, "stop", "array_above_max_length" },
        { Chat, Asking(""" "stop": [""] """), 400, "stop[0]", "empty_string" },
        { Chat, Asking(""" "stop": 5 """), 400, "stop", "invalid_type" },
        { Chat, Asking(""" "stream": "yes" """), 400, "stream", "invalid_type" },
        { Chat, Asking(""" "stream_options": {"include_usage": true} """), 400, "stream_options", "invalid_value" },
        { Chat, Asking(""" "presence_penalty": 3 """), 400, "presence_penalty", "decimal_above_max_value" },
        { Chat, Asking(""" "frequency_penalty": -3 """), 400, "frequency_penalty", "decimal_below_min_value" },
        { Chat, Asking(""" "logit_bias": {"a": 1} """), 400, "logit_bias", "invalid_value" },
        { Chat, Asking(""" "logit_bias": {"259": 1} """), 400, "logit_bias", "invalid_value" },
        { Chat, Asking(""" "logit_bias": {"1": 101} """), 400, "logit_bias.1", "decimal_above_max_value" },
        { Chat, Asking(""" "min_tokens": 1, "allowed_token_ids": [1], "stop_token_ids": [1, 2] """), 400, "allowed_token_ids", "invalid_parameter_combination" },
        { Chat, Asking(""" "top_logprobs": 2 """), 400, "top_logprobs", "invalid_value" },
        { Chat, Asking(""" "logprobs": true, "top_logprobs": 21 """), 400, "top_logprobs", "integer_above_max_value" },
        { Chat, Asking(""" "seed": "a" """), 400, "seed", "invalid_type" },
        { Chat, Asking(""" "seed": 1.5 """), 400, "seed", "invalid_type" },
        { Chat, Asking(""" "response_format": {} """), 400, "response_format.type", "missing_required_parameter" },
        { Chat, Asking(""" "response_format": {"type": "xml"} """), 400, "response_format.type", "invalid_value" },
        { Chat, Asking(""" "response_format": {"type": "json_schema"} """), 400, "response_format.json_schema", "missing_required_parameter" },
        { Chat, Asking(""" "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"contains": {}} } } """), 400, "response_format.json_schema.schema", "invalid_value" },
        { Chat, Asking(""" "response_format": {"type": "json_object"}, "guided_regex": "a" """), 400, "guided_regex", "invalid_parameter_combination" },
        { Chat, Asking(""" "response_format": {"type": "json_object"}, "min_tokens": 3 """), 400, "min_tokens", "invalid_parameter_combination" },
        { Chat, Asking(""" "tools": [] """), 400, "tools", "empty_array" },
        { Chat, Asking(""" "tools": [{"type": "custom"}] """), 400, "tools[0].type", "unsupported_value" },
        { Chat, Asking(""" "tools": [{"type": "function", "function": {"name": "a b"}}] """), 400, "tools[0].function.name", "invalid_value" },
        { Chat, Asking(""" "tools": [{"type": "function", "function": {"name": "f", "parameters": 5}}] """), 400, "tools[0].function.parameters", "invalid_type" },
        { Chat, Asking(""" "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "any" """), 400, "tool_choice", "invalid_value" },
        { Chat, Asking(""" "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "function", "function": {"name": "g"} } """), 400, "tool_choice.function.name", "invalid_value" },
        { Chat, Asking(""" "tools": [{"type": "function", "function": {"name": "f", "parameters": {"contains": {}}}}], "tool_choice": "required" """), 400, "tools[0].function.parameters", "invalid_value" },
        { Chat, Asking(""" "tool_choice": "auto" """), 400, "tool_choice", "invalid_value" },
        { Chat, Asking(""" "functions": [] """), 400, "functions", "unsupported_parameter" },
        { Chat, Asking(""" "function_call": "none" """), 400, "function_call", "unsupported_parameter" },
        { Chat, Asking(""" "audio": {} """), 400, "audio", "unsupported_parameter" },
        { Chat, Asking(""" "web_search_options": {} """), 400, "web_search_options", "unsupported_parameter" },
        { Chat, Asking(""" "modalities": ["audio"] """), 400, "modalities", "unsupported_value" },
        { Chat, Asking(""" "reasoning_effort": "huge" """), 400, "reasoning_effort", "invalid_value" },
        { Chat, Asking(""" "verbosity": "huge" """), 400, "verbosity", "invalid_value" },
        { Chat, Asking(""" "service_tier": "gold" """), 400, "service_tier", "invalid_value" },
        { Chat, Asking(""" "metadata": {"a": 1} """), 400, "metadata.a", "invalid_type" },
        { Chat, Asking(""" "top_k": -2 """), 400, "top_k", "integer_below_min_value" },
        { Chat, Asking(""" "min_p": 2 """), 400, "min_p", "decimal_above_max_value" },
        { Chat, Asking(""" "repetition_penalty": 0 """), 400, "repetition_penalty", "decimal_below_min_value" },
        { Chat, Asking(""" "min_tokens": -1 """), 400, "min_tokens", "integer_below_min_value" },
        { Chat, Asking(""" "stop_token_ids": [259] """), 400, "stop_token_ids[0]", "invalid_value" },
        { Chat, Asking(""" "structured_outputs": {"regex": "(?=a)"} """), 400, "structured_outputs.regex", "invalid_value" },
        { Chat, Asking(""" "structured_outputs": {"json": "{"} """), 400, "structured_outputs.json", "invalid_value" },
        { Chat, Asking(""" "structured_outputs": {"choice": []} """), 400, "structured_outputs.choice", "empty_array" },
        { Chat, Asking(""" "structured_outputs": {"structural_tag": "a"} """), 400, "structured_outputs.structural_tag", "unsupported_parameter" },
        { Chat, Asking(""" "guided_grammar": "root ::= root" """), 400, "guided_grammar", "invalid_value" },
        { Chat, Asking(""" "guided_json": 5 """), 400, "guided_json", "invalid_type" },
        { Chat, Asking(""" "chat_template_kwargs": {"messages": []} """), 400, "chat_template_kwargs", "invalid_value" },
        { Chat, Asking(""" "add_generation_prompt": true, "continue_final_message": true """), 400, "messages", "invalid_value" },
        { Text, """{"model": "tiny"}""", 400, "prompt", "missing_required_parameter" },
        { Text, """{"model": "tiny", "prompt": null}""", 400, "prompt", "invalid_type" },
        { Text, """{"model": "tiny", "prompt": ""}""", 400, "prompt", "empty_string" },
        { Text, """{"model": "tiny", "prompt": []}""", 400, "prompt", "empty_array" },
        { Text, """{"model": "tiny", "prompt": [[]]}""", 400, "prompt[0]", "empty_array" },
        { Text, """{"model": "tiny", "prompt": [1, 259]}""", 400, "prompt[1]", "invalid_value" },
        { Text, """{"model": "tiny", "prompt": [1, -1]}""", 400, "prompt[1]", "invalid_value" },
        { Text, """{"model": "tiny", "prompt": [[1], "a", {}]}""", 400, "prompt[2]", "invalid_type" },
        { Text, Completing(""" "suffix": "b" """), 400, "suffix", "unsupported_parameter" },
        { Text, Completing(""" "logprobs": 21 """), 400, "logprobs", "integer_above_max_value" },
        { Text, Completing(""" "logprobs": true """), 400, "logprobs", "invalid_type" },
        { Text, Completing(""" "best_of": 1, "n": 2 """), 400, "best_of", "invalid_value" },
        { Text, Completing(""" "best_of": 2, "stream": true """), 400, "best_of", "invalid_value" },
        { Text, Completing(""" "best_of": 21 """), 400, "best_of", "integer_above_max_value" },
        { Text, """{"model": "tiny", "prompt": "x", "max_tokens": -1}""", 400, "max_tokens", "integer_below_min_value" },
        { Text, """{"model": "tiny", "prompt": "x", "max_tokens": 512}""", 400, "prompt", "context_length_exceeded" },
        { "/tokenize", "{}", 400, "prompt", "missing_required_parameter" },
        { "/tokenize", """{"model": "no", "prompt": "x"}""", 404, "model", "model_not_found" },
        { "/v1/detokenize", """{"tokens": [1, "a"]}""", 400, "tokens[1]", "invalid_type" },
        { "/v1/assistants", "{}", 404, null, "unknown_url" },
    };

    [Theory, MemberData(nameof(Bodies))]
    public async Task A_request_that_cannot_be_served_is_refused_by_name(string path, string body, int status, string? param, string? code)
    {
        using var reply = await fixture.Server.PostAsync(path, body);
        await Check(reply, status, param, code);
    }

    [Fact]
    public async Task The_message_of_an_overlong_request_has_both_numbers()
    {
        using var reply = await fixture.Server.PostAsync(Text, """{"model": "tiny", "prompt": "abc", "max_tokens": 600}""");
        var message = (await Check(reply, 400, "prompt", "context_length_exceeded")).GetProperty("message").GetString();
        Assert.Contains("512", message);
        Assert.Contains("603", message);
    }

    public static TheoryData<string, string, string> Overlong => new()
    {
        { Chat, """{"model": "tiny", "messages": [{"role": "user", "content": "TEXT"}]}""", "messages" },
        { Text, """{"model": "tiny", "prompt": ["a", "TEXT"]}""", "prompt" },
        { "/v1/responses", """{"model": "tiny", "input": "TEXT"}""", "input" },
        { "/v1/embeddings", """{"model": "tiny", "input": "TEXT"}""", "input" },
    };

    /// <summary>The tiny model's context holds 512 tokens; a prompt is counted up to twice that.</summary>
    [Theory, MemberData(nameof(Overlong))]
    public async Task A_prompt_far_over_the_context_is_refused_without_its_tokens_being_counted(string path, string body, string param)
    {
        using var over = await fixture.Server.PostAsync(path, body.Replace("TEXT", new string('x', 600)));
        Assert.Matches(@"has 6[0-9]{2} tokens.*512", (await Check(over, 400, param, "context_length_exceeded")).GetProperty("message").GetString());
        using var far = await fixture.Server.PostAsync(path, body.Replace("TEXT", new string('x', 100_000)));
        Assert.Matches("more than 1024 tokens.*512", (await Check(far, 400, param, "context_length_exceeded")).GetProperty("message").GetString());
    }

    [Fact]
    public async Task A_prompt_that_is_to_be_cut_is_read_whole()
    {
        using var reply = await fixture.Server.PostAsync(Text, $$"""{"model": "tiny", "max_tokens": 1, "truncate_prompt_tokens": 5, "prompt": "{{new string('x', 5000)}}"}""");
        Assert.Contains("\"prompt_tokens\":5,", await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Texts_to_tokenize_have_a_limit_of_their_own()
    {
        using var far = await fixture.Server.PostAsync("/tokenize", $$"""{"model": "tiny", "prompt": "{{new string('x', 1 << 20)}}"}""");
        using var over = await fixture.Server.PostAsync("/tokenize", $$"""{"model": "tiny", "prompt": "{{new string('x', (1 << 20) + 1)}}"}""");
        Assert.Equal(200, (int)far.StatusCode);
        await Check(over, 400, "prompt", "string_above_max_length");
    }

    [Theory, InlineData("gzip"), InlineData("br")]
    public async Task A_compressed_body_is_refused_as_such(string coding)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Chat) { Content = new StringContent(Asking(""" "max_tokens": 1 """), Encoding.UTF8, "application/json") };
        request.Content.Headers.ContentEncoding.Add(coding);
        using var reply = await fixture.Server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Contains($"'{coding}'", (await Check(reply, 415, null, "unsupported_media_type")).GetProperty("message").GetString());
    }

    [Fact]
    public async Task Errors_are_readable_as_they_come()
    {
        using var reply = await fixture.Server.PostAsync(Chat, Asking(""" "temperature": 3 """));
        Assert.Contains("\"'temperature' is 3;", await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Theory, InlineData("/health"), InlineData("/health/live"), InlineData("/health/ready")]
    public async Task Health_is_told_to_those_who_ask_for_the_head_alone(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Head, path);
        using var reply = await fixture.Server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal((200, ""), ((int)reply.StatusCode, await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task Deep_nesting_is_an_error_of_the_client()
    {
        using var reply = await fixture.Server.PostAsync(Chat, new string('[', 100_000));
        await Check(reply, 400, null, null);
    }

    [Fact]
    public async Task Other_methods_are_named_in_the_allow_header()
    {
        using var reply = await fixture.Server.GetAsync(Chat);
        await Check(reply, 405, null, "method_not_supported");
        Assert.Equal(["POST"], reply.Content.Headers.Allow);
        using var deletion = await fixture.Server.SendAsync(new(HttpMethod.Delete, "/v1/models/tiny"));
        await Check(deletion, 405, null, "method_not_supported");
    }

    [Fact]
    public async Task An_unknown_route_has_the_envelope()
    {
        using var reply = await fixture.Server.GetAsync("/nowhere");
        await Check(reply, 404, null, "unknown_url");
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/json; charset=latin1")]
    public async Task A_body_must_say_that_it_is_json(string type)
    {
        var content = new ByteArrayContent("{}"u8.ToArray());
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        using var reply = await fixture.Server.SendAsync(new(HttpMethod.Post, Chat) { Content = content });
        await Check(reply, 415, null, "unsupported_media_type");
    }

    [Fact]
    public async Task A_large_body_is_refused_before_it_is_read()
    {
        await using var server = await TestServer.StartAsync(o => o with { MaxRequestBytes = 1000 });
        using var reply = await server.PostAsync(Chat, new string(' ', 2000));
        await Check(reply, 413, null, "request_too_large");
        using var chunked = new HttpRequestMessage(HttpMethod.Post, Chat) { Content = new StringContent("{\"a\": \"" + new string('b', 2000), Encoding.UTF8, "application/json") };
        chunked.Headers.TransferEncodingChunked = true;
        using var second = await server.SendAsync(chunked);
        await Check(second, 413, null, "request_too_large");
    }

    [Fact]
    public async Task A_client_s_own_request_id_comes_back_where_it_is_safe()
    {
        Assert.Equal("abc-1.2_3", await IdOf("abc-1.2_3"));
        Assert.StartsWith("req_", await IdOf("a b"));
        Assert.StartsWith("req_", await IdOf(new string('a', 129)));

        async Task<string> IdOf(string given)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
            request.Headers.TryAddWithoutValidation("X-Request-Id", given);
            using var reply = await fixture.Server.SendAsync(request);
            return reply.Headers.GetValues("x-request-id").Single();
        }
    }

    internal static async Task<JsonElement> Check(HttpResponseMessage reply, int status, string? param, string? code)
    {
        var body = await reply.Content.ReadAsStringAsync();
        Assert.True((int)reply.StatusCode == status, $"{(int)reply.StatusCode}: {body}");
        Assert.Equal("application/json", reply.Content.Headers.ContentType?.MediaType);
        Assert.Single(reply.Headers.GetValues("x-request-id"));
        Assert.Single(reply.Headers.GetValues("openai-processing-ms"));
        var error = JsonDocument.Parse(body).RootElement.GetProperty("error");
        Assert.Equal(["message", "type", "param", "code"], error.EnumerateObject().Select(m => m.Name));
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.Equal(param, error.GetProperty("param").GetString());
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.NotEqual("", error.GetProperty("message").GetString());
        return error;
    }
}
