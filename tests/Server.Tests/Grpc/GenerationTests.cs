using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Serving.Protos;
using Serving.Protos.Rpc;
using Serving.Server.Grpc.Framing;

namespace Serving.Tests.Grpc;

/// <summary>serving.v1.Generation: what HTTP says, as messages.</summary>
public sealed class GenerationTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    const string Service = "/serving.v1.Generation/";

    static GenerateRequest Chatting(string content = "Hi") =>
        new() { Model = "tiny", Chat = new() { Messages = { new ChatMessage { Role = "user", Content = content } } } };

    static GenerateRequest Completing(string prompt = "x") => new() { Model = "tiny", Prompt = prompt };

    [Fact]
    public async Task A_conversation_is_answered_by_the_script()
    {
        var replies = (await fixture.Server.Grpc.CallAsync(GrpcClient.Generate, Chatting())).All<GenerateReply>();
        Assert.Equal(GenerateReply.EventOneofCase.Started, replies[0].EventCase);
        Assert.Equal(ScriptedDecoder.Script, string.Concat(replies.Select(r => r.Piece?.Text)));
        Assert.Equal(Encoding.UTF8.GetBytes(ScriptedDecoder.Script), replies.SelectMany(r => r.Piece?.Tokens.SelectMany(t => t.Bytes) ?? []));
        Assert.Equal(Finished.Types.Reason.Stop, replies[^2].Finished.Reason);
        var summary = replies[^1].Summary;
        Assert.Equal(summary.Usage.PromptTokens + summary.Usage.CompletionTokens, summary.Usage.TotalTokens);
        Assert.Equal(replies[0].Started.PromptTokens, summary.Usage.PromptTokens);
        Assert.InRange(summary.Timings.TimeToFirstToken.ToTimeSpan(), TimeSpan.Zero, summary.Timings.Total.ToTimeSpan());
    }

    public static TheoryData<string, string, string> Pairs => new()
    {
        { "/v1/chat/completions", """{"messages": [{"role": "user", "content": "Hi"}], "logprobs": true, "top_logprobs": 3}""",
            """{"chat": {"messages": [{"role": "user", "content": "Hi"}]}, "logprobs": 3}""" },
        { "/v1/chat/completions", """{"messages": [{"role": "system", "content": "<|im_end|>"}, {"role": "user", "content": "é"}], "n": 3, "temperature": 1.3, "seed": 9007199254740993, "max_tokens": 20, "logprobs": true, "top_logprobs": 0, "stop": ["o"]}""",
            """{"chat": {"messages": [{"role": "system", "content": "<|im_end|>"}, {"role": "user", "content": "é"}]}, "n": 3, "temperature": 1.3, "seed": "9007199254740993", "max_tokens": 20, "logprobs": 0, "stop": ["o"]}""" },
        { "/v1/completions", """{"prompt": "a\n", "max_tokens": 40, "logprobs": 2, "top_p": 0.9, "temperature": 0.7, "seed": 5, "logit_bias": {"65": 2.5, "66": -100}, "presence_penalty": 0.5, "frequency_penalty": -0.25, "repetition_penalty": 1.1, "min_tokens": 3, "min_p": 0.01, "top_k": 50}""",
            """{"prompt": "a\n", "max_tokens": 40, "logprobs": 2, "top_p": 0.9, "temperature": 0.7, "seed": 5, "logit_bias": {"65": 2.5, "66": -100}, "presence_penalty": 0.5, "frequency_penalty": -0.25, "repetition_penalty": 1.1, "min_tokens": 3, "min_p": 0.01, "top_k": 50}""" },
        { "/v1/completions", """{"prompt": [120, 10], "max_tokens": 30, "ignore_eos": true, "logprobs": 1, "stop": ["☃two"], "include_stop_str_in_output": true}""",
            """{"prompt_token_ids": {"ids": [120, 10]}, "max_tokens": 30, "ignore_eos": true, "logprobs": 1, "stop": ["☃two"], "include_stop_str_in_output": true}""" },
        { "/v1/completions", """{"prompt": "a\n", "max_tokens": 40, "logprobs": 0, "structured_outputs": {"json": "{\"enum\": [\"é\", 17]}"}}""",
            """{"prompt": "a\n", "max_tokens": 40, "logprobs": 0, "structured_outputs": {"json": "{\"enum\": [\"é\", 17]}"}}""" },
    };

    [Theory, MemberData(nameof(Pairs))]
    public async Task Http_and_gRPC_say_the_same_to_the_last_byte(string route, string http, string grpc)
    {
        var (head, tail) = ("""{"model": "tiny", """, http[1..]);
        var events = await fixture.Server.EventsAsync(route, head + """ "stream": true, "return_token_ids": true, "stream_options": {"include_usage": true}, """ + tail);
        var request = new JsonParser(JsonParser.Settings.Default).Parse<GenerateRequest>(grpc);
        request.Model = "tiny";
        var replies = (await fixture.Server.Grpc.CallAsync(GrpcClient.Generate, request)).All<GenerateReply>();
        Assert.Equal(events.SelectMany(HttpPieces), replies.Where(r => r.Piece is not null).Select(GrpcPiece));
        Assert.Contains(replies, r => r.Piece is not null);
        var usage = events[^1].GetProperty("usage");
        Assert.Equal(usage.GetProperty("completion_tokens").GetUInt32(), replies[^1].Summary.Usage.CompletionTokens);
        Assert.Equal(usage.GetProperty("prompt_tokens").GetUInt32(), replies[^1].Summary.Usage.PromptTokens);
    }

    static IEnumerable<string> HttpPieces(JsonElement chunk)
    {
        foreach (var choice in chunk.GetProperty("choices").EnumerateArray())
        {
            if (!choice.TryGetProperty("token_ids", out var ids) || ids.GetArrayLength() == 0)
                continue;
            var text = choice.TryGetProperty("text", out var plain) ? plain : choice.GetProperty("delta").GetProperty("content");
            var logprobs = choice.GetProperty("logprobs");
            var values = logprobs.TryGetProperty("content", out var content)
                ? content.EnumerateArray().Select(token => token.GetProperty("logprob").GetDouble())
                : logprobs.GetProperty("token_logprobs").EnumerateArray().Select(value => value.GetDouble());
            yield return $"{choice.GetProperty("index")} {text} {string.Join(',', ids.EnumerateArray())} {string.Join(',', values.Select(v => (float)v))}";
        }
    }

    static string GrpcPiece(GenerateReply reply) =>
        $"{reply.Piece.Index} {reply.Piece.Text} {string.Join(',', reply.Piece.Tokens.Select(t => t.Id))} {string.Join(',', reply.Piece.Tokens.Select(t => t.Logprob))}";

    [Fact]
    public async Task Every_field_of_a_request_means_something_over_HTTP_too()
    {
        await using var server = await TestServer.StartAsync(o => o with { StrictParameters = true });
        var request = Completing();
        var skipped = (string[])["model", "prompt", "prompt_token_ids", "chat", "structured_outputs", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort"];
        foreach (var field in GenerateRequest.Descriptor.Fields.InDeclarationOrder().Where(field => !skipped.Contains(field.Name)))
        {
            if (field.IsMap)
                request.LogitBias[1] = 1;
            else if (field.IsRepeated)
                ((System.Collections.IList)field.Accessor.GetValue(request)).Add(field.FieldType == Google.Protobuf.Reflection.FieldType.String ? "q" : (uint)field.FieldNumber);
            else
                field.Accessor.SetValue(request, Sample(field));
        }
        (await server.Grpc.CallAsync(GrpcClient.Generate, request)).All<GenerateReply>();
        foreach (var field in StructuredOutputs.Descriptor.Fields.InDeclarationOrder())
        {
            var form = new StructuredOutputs();
            if (field.IsRepeated)
                form.Choice.Add("yes");
            else
                field.Accessor.SetValue(form, field.Name switch { "json" => """{"type": "boolean"}""", "regex" => "a+", "grammar" => "root ::= \"a\"", _ => Sample(field) });
            var shaped = new GenerateRequest { Model = "tiny", Prompt = "x", StructuredOutputs = form };
            (await server.Grpc.CallAsync(GrpcClient.Generate, shaped)).All<GenerateReply>();
        }
    }

    static object Sample(Google.Protobuf.Reflection.FieldDescriptor field) => field.FieldType switch
    {
        Google.Protobuf.Reflection.FieldType.Bool => true,
        Google.Protobuf.Reflection.FieldType.Float => 0.5f,
        Google.Protobuf.Reflection.FieldType.Int32 => 1,
        Google.Protobuf.Reflection.FieldType.UInt32 => 1u,
        Google.Protobuf.Reflection.FieldType.Int64 => 1L,
        _ => "s",
    };

    public static TheoryData<string, string, string?, string?> Refusals => new()
    {
        { "{}", nameof(StatusCode.InvalidArgument), "model", "MISSING_REQUIRED_PARAMETER" },
        { """{"model": "no", "prompt": "x"}""", nameof(StatusCode.NotFound), "model", "MODEL_NOT_FOUND" },
        { """{"model": "tiny"}""", nameof(StatusCode.InvalidArgument), "prompt", "MISSING_REQUIRED_PARAMETER" },
        { """{"model": "tiny", "prompt": "x", "temperature": 3}""", nameof(StatusCode.InvalidArgument), "temperature", "DECIMAL_ABOVE_MAX_VALUE" },
        { """{"model": "tiny", "prompt": "x", "temperature": "NaN"}""", nameof(StatusCode.InvalidArgument), "temperature", "INVALID_TYPE" },
        { """{"model": "tiny", "prompt": "x", "max_tokens": 600}""", nameof(StatusCode.InvalidArgument), "prompt", "CONTEXT_LENGTH_EXCEEDED" },
        { """{"model": "tiny", "prompt_token_ids": {"ids": [1, 259]}}""", nameof(StatusCode.InvalidArgument), "prompt_token_ids.ids[1]", "INVALID_VALUE" },
        { """{"model": "tiny", "prompt_token_ids": {}}""", nameof(StatusCode.InvalidArgument), "prompt_token_ids", "EMPTY_ARRAY" },
        { """{"model": "tiny", "prompt": "x", "structured_outputs": {"regex": "("}}""", nameof(StatusCode.InvalidArgument), "structured_outputs.regex", "INVALID_VALUE" },
        { """{"model": "tiny", "chat": {}}""", nameof(StatusCode.InvalidArgument), "chat.messages", "MISSING_REQUIRED_PARAMETER" },
        { """{"model": "tiny", "chat": {"messages": [{"role": "king", "content": "x"}]}}""", nameof(StatusCode.InvalidArgument), "chat.messages[0].role", "INVALID_VALUE" },
        { """{"model": "tiny", "chat": {"messages": [{"role": "user", "content": "x"}]}, "logprobs": 21}""", nameof(StatusCode.InvalidArgument), "logprobs", "INTEGER_ABOVE_MAX_VALUE" },
        { """{"model": "tiny", "chat": {"messages": [{"role": "user", "content": "x"}], "chat_template_kwargs": {"messages": 1}}}""", nameof(StatusCode.InvalidArgument), "chat.chat_template_kwargs", "INVALID_VALUE" },
    };

    [Theory, MemberData(nameof(Refusals))]
    public async Task A_refusal_has_a_code_a_field_and_a_reason(string json, string status, string? field, string? reason)
    {
        var reply = await fixture.Server.Grpc.CallAsync(GrpcClient.Generate, JsonParser.Default.Parse<GenerateRequest>(json));
        Assert.Equal((status, field, reason), (reply.Status.ToString(), reply.Detail<BadRequest>().FieldViolations.Single().Field, reply.Detail<ErrorInfo>().Reason));
        Assert.Equal((int)reply.Status, reply.Details.Code);
        Assert.Equal(reply.Message, reply.Details.Message);
        Assert.Empty(reply.Messages);
    }

    [Fact]
    public async Task Text_and_conversations_become_tokens_and_tokens_text()
    {
        var server = fixture.Server.Grpc;
        var tokens = (await server.CallAsync(Service + "Tokenize", new TokenizeRequest { Prompt = "aé", ReturnTokenStrs = true })).Only<TokenizeReply>();
        Assert.Equal([97u, 195, 169], tokens.Tokens);
        Assert.Equal((3, 512u), (tokens.TokenStrs.Count, tokens.MaxModelLen));
        var chat = (await server.CallAsync(Service + "Tokenize", new TokenizeRequest { Model = "tiny", Chat = Chatting().Chat })).Only<TokenizeReply>();
        using var http = await fixture.Server.PostAsync("/tokenize", """{"messages": [{"role": "user", "content": "Hi"}]}""");
        var same = JsonDocument.Parse(await http.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("tokens");
        Assert.Equal(same.EnumerateArray().Select(id => id.GetUInt32()), chat.Tokens);
        Assert.Equal("aé", (await server.CallAsync(Service + "Detokenize", new DetokenizeRequest { Tokens = { tokens.Tokens } })).Only<DetokenizeReply>().Prompt);
        var refused = await server.CallAsync(Service + "Detokenize", new DetokenizeRequest { Tokens = { 1, 300 } });
        Assert.Equal("tokens[1]", refused.Detail<BadRequest>().FieldViolations.Single().Field);
    }

    [Fact]
    public async Task The_names_of_the_model_are_listed()
    {
        var models = (await fixture.Server.Grpc.CallAsync(Service + "Models", new ModelsRequest())).Only<ModelsReply>().Models;
        Assert.Equal([TestServer.ModelId, "tiny"], models.Select(m => m.Id));
        Assert.All(models, m => Assert.Equal((512u, (uint)TinyText.Vocabulary, 1_700_000_000), (m.MaxModelLen, m.VocabularySize, m.Created)));
    }
}
