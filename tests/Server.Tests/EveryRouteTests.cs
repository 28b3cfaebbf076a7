using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Serving.Protos;
using Serving.Server;
using Serving.Server.Commands;

namespace Serving.Tests;

/// <summary>
/// Every route that computes, of both protocols, over the embedded model: an answer is the same, byte for byte, alone and in a crowd, whole and
/// streamed, over HTTP and over gRPC.
/// </summary>
public sealed class EveryRouteTests(EveryRouteTests.Served served) : IClassFixture<EveryRouteTests.Served>
{
    const string Chat = "/v1/chat/completions", Text = "/v1/completions", Responses = "/v1/responses", Embeddings = "/v1/embeddings";

    const string Schema = """{"type":"object","properties":{"city":{"type":"string","maxLength":12},"days":{"type":"integer","minimum":1,"maximum":9}},"required":["city","days"],"additionalProperties":false}""";

    const string Weather = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":" + Schema + "}}], \"tool_choice\": \"required\", \"parallel_tool_calls\": false";

    public sealed class Served : IAsyncLifetime
    {
        WebApplication _app = null!;

        internal HttpClient Http { get; private set; } = null!;

        internal GrpcClient Grpc { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            _app = ServerApp.Build(new()
            {
                Model = ModelLoading.DefaultModel()!, ServedNames = ["m"], Port = 0, LogLevel = LogLevel.None, Engine = new() { CacheBytes = 64 << 20, MaxLength = 1024 },
            }, ModelLoading.Load);
            await _app.StartAsync();
            await _app.Services.GetRequiredService<EngineHost>().Loaded;
            Http = new() { BaseAddress = new(_app.Urls.First()), Timeout = TimeSpan.FromMinutes(3) };
            Grpc = new(Http.BaseAddress);
        }

        public async ValueTask DisposeAsync()
        {
            Http.Dispose();
            Grpc.Dispose();
            await _app.StopAsync();
            await _app.DisposeAsync();
        }
    }

    static readonly (string Route, string Members)[] Asked =
    [
        (Chat, """ "messages": [{"role": "user", "content": "List three fruits."}], "temperature": 0, "max_tokens": 20, "logprobs": true, "top_logprobs": 2 """),
        (Chat, """ "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A word for joy?"}], "temperature": 1.1, "seed": 5, "n": 2, "max_tokens": 16, "stop": ["\n\n"] """),
        (Chat, $$""" "messages": [{"role": "user", "content": "How is the weather in Oslo?"}], "temperature": 0.8, "seed": 9, "max_tokens": 60, {{Weather}} """),
        (Chat, """ "messages": [{"role": "user", "content": "Name a fruit."}], "temperature": 0.7, "seed": 2, "max_tokens": 40, "response_format": {"type": "json_schema", "json_schema": {"name": "f", "schema": {"type": "object", "properties": {"fruit": {"type": "string", "maxLength": 10}}, "required": ["fruit"]}}} """),
        (Text, """ "prompt": "The capital of France is", "temperature": 0, "max_tokens": 12, "logprobs": 3 """),
        (Text, """ "prompt": ["Once upon a", [504, 7211, 282]], "temperature": 0.9, "seed": 7, "n": 2, "max_tokens": 10, "frequency_penalty": 0.5 """),
        (Responses, """ "input": "Say hello.", "temperature": 0, "max_output_tokens": 16 """),
        (Embeddings, """ "input": ["a cat", "the sea at night"] """),
    ];

    static readonly string Quoted = JsonSerializer.Serialize(Schema);

    static readonly string[] Calls =
    [
        """{"chat": {"messages": [{"role": "user", "content": "List three fruits."}]}, "temperature": 0, "max_tokens": 20, "logprobs": 2}""",
        """{"chat": {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A word for joy?"}]}, "temperature": 1.1, "seed": "5", "n": 2, "max_tokens": 16, "stop": ["\n\n"]}""",
        $$"""{"chat": {"messages": [{"role": "user", "content": "How is the weather in Oslo?"}]}, "temperature": 0.8, "seed": "9", "max_tokens": 60, "tool_choice": {"mode": "required"}, "parallel_tool_calls": false, "tools": [{"function": {"name": "get_weather", "parameters": {{Quoted}} } }]}""",
        """{"chat": {"messages": [{"role": "user", "content": "How is the weather in Oslo?"}]}, "temperature": 0.8, "seed": "9", "max_tokens": 60, "tool_choice": {"function": "get_weather"}, "tools": [{"function": {"name": "get_weather"}}]}""",
        """{"prompt": "The capital of France is", "temperature": 0, "max_tokens": 12, "logprobs": 3}""",
    ];

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Alone_and_in_a_crowd_every_answer_is_the_same_byte_for_byte()
    {
        Func<Task<string>>[] asks =
        [
            .. Asked.Select(asked => (Func<Task<string>>)(() => WholeAsync(asked.Route, asked.Members))),
            .. Asked.Where(asked => asked.Route != Embeddings).Select(asked => (Func<Task<string>>)(() => StreamedAsync(asked.Route, asked.Members))),
            .. Calls.Select(call => (Func<Task<string>>)(() => CalledAsync(call))),
            EmbeddedAsync,
        ];
        var alone = new List<string>();
        foreach (var ask in asks)
            alone.Add(await ask());
        for (var round = 0; round < 2; round++)
        {
            var others = Enumerable.Range(0, 6).Select(i => WholeAsync(Text, $$""" "prompt": "{{i}} {{round}} is a number that", "temperature": 1.5, "max_tokens": 30 """));
            var crowded = await Task.WhenAll([.. asks.Select(ask => ask()), .. others]);
            for (var i = 0; i < asks.Length; i++)
                Assert.Equal(alone[i], crowded[i]);
        }
    }

    [Fact]
    public async Task Streamed_is_what_whole_is()
    {
        foreach (var (route, members) in Asked.Where(asked => asked.Route != Embeddings))
            Assert.Equal(await WholeAsync(route, members), await StreamedAsync(route, members));
    }

    [Fact]
    public async Task Http_is_what_gRPC_is()
    {
        foreach (var (call, asked) in new[] { (0, 0), (1, 1), (2, 2), (4, 4) })
        {
            var whole = JsonNode.Parse(await WholeAsync(Asked[asked].Route, Asked[asked].Members))!;
            var replies = JsonNode.Parse(await CalledAsync(Calls[call]))!;
            foreach (var choice in whole["choices"]!.AsArray())
            {
                var same = replies["choices"]!.AsArray().Single(c => (int)c!["index"]! == (int)choice!["index"]!)!;
                Assert.Equal((string)choice!["finish_reason"]!, (string)same["finish_reason"]!);
                Assert.Equal((string?)choice["text"] ?? (string?)choice["message"]!["content"] ?? "", (string)same["text"]!);
                Assert.Equal(choice["message"]?["tool_calls"]?.ToJsonString() ?? "[]", Sorted(same["tool_calls"])!.ToJsonString());
            }
            Assert.Equal((int)whole["usage"]!["completion_tokens"]!, (int)replies["usage"]!["completionTokens"]!);
        }
        var named = JsonNode.Parse(await CalledAsync(Calls[3]))!["choices"]![0]!;
        Assert.Equal(("stop", "get_weather"), ((string)named["finish_reason"]!, (string)named["tool_calls"]![0]!["function"]!["name"]!));
        var vectors = JsonNode.Parse(await WholeAsync(Embeddings, Asked[7].Members))!["data"]!.AsArray();
        Assert.Equal(vectors.Select(v => string.Join(',', v!["embedding"]!.AsArray().Select(x => (float)x!))), (await EmbeddedAsync()).Split(';'));
    }

    static HttpRequestMessage Message(string route, string members) => new(HttpMethod.Post, route)
    {
        Content = new StringContent($$"""{"model": "m", {{members}} }""", MediaTypeHeaderValue.Parse("application/json")),
    };

    async Task<string> SendAsync(string route, string members)
    {
        using var reply = await served.Http.SendAsync(Message(route, members), Stop);
        var body = await reply.Content.ReadAsStringAsync(Stop);
        Assert.True(reply.IsSuccessStatusCode, body);
        return body;
    }

    async Task<string> WholeAsync(string route, string members) => Bare(JsonNode.Parse(await SendAsync(route, members))!);

    /// <summary>A stream, added up to what its whole reply would be.</summary>
    async Task<string> StreamedAsync(string route, string members)
    {
        var body = await SendAsync(route, members + ", \"stream\": true" + (route == Responses ? "" : ", \"stream_options\": {\"include_usage\": true}"));
        var events = body.Split('\n').Where(line => line.StartsWith("data: {", StringComparison.Ordinal)).Select(line => JsonNode.Parse(line["data: ".Length..])!).ToList();
        if (route == Responses)
            return Bare(events.Single(e => (string?)e["type"] is "response.completed" or "response.incomplete")["response"]!);
        var whole = events[^1].DeepClone().AsObject();
        whole["object"] = route == Chat ? "chat.completion" : "text_completion";
        var choices = new SortedDictionary<int, JsonObject>();
        foreach (var choice in events.SelectMany(e => e["choices"]!.AsArray()))
        {
            var index = (int)choice!["index"]!;
            if (!choices.TryGetValue(index, out var sum))
                choices[index] = sum = Empty(route, index);
            Add(sum, choice.AsObject());
        }
        whole["choices"] = new JsonArray([.. choices.Values]);
        return Bare(whole);
    }

    static JsonObject Empty(string route, int index) => route == Chat
        ? new() { ["index"] = index, ["message"] = new JsonObject { ["role"] = "assistant", ["content"] = "", ["refusal"] = null }, ["logprobs"] = null, ["finish_reason"] = null }
        : new() { ["index"] = index, ["text"] = "", ["logprobs"] = null, ["finish_reason"] = null };

    static void Add(JsonObject sum, JsonObject choice)
    {
        if (choice["finish_reason"] is { } reason)
            sum["finish_reason"] = reason.DeepClone();
        if (choice["text"] is { } text)
            sum["text"] = (string)sum["text"]! + (string)text!;
        foreach (var (name, values) in choice["logprobs"]?.AsObject() ?? [])
        {
            var kept = (sum["logprobs"] ??= new JsonObject()).AsObject();
            if (values is null)
                kept[name] = null;
            else
                foreach (var value in values.AsArray())
                    (kept[name] ??= new JsonArray()).AsArray().Add(value?.DeepClone());
        }
        if (choice["delta"] is not { } delta)
            return;
        var message = sum["message"]!.AsObject();
        if (delta["content"] is { } content)
            message["content"] = (string?)message["content"] + (string)content!;
        foreach (var piece in delta["tool_calls"]?.AsArray() ?? [])
        {
            var calls = (message["tool_calls"] ??= new JsonArray()).AsArray();
            message["content"] = null;
            if (piece!["id"] is not null)
                calls.Add(new JsonObject { ["type"] = "function", ["function"] = new JsonObject { ["name"] = piece["function"]!["name"]!.DeepClone(), ["arguments"] = "" } });
            var function = calls[^1]!["function"]!.AsObject();
            function["arguments"] = (string)function["arguments"]! + (string)piece["function"]!["arguments"]!;
        }
    }

    async Task<string> CalledAsync(string json)
    {
        var request = JsonParser.Default.Parse<GenerateRequest>(json);
        request.Model = "m";
        var replies = (await served.Grpc.CallAsync(GrpcClient.Generate, request)).All<GenerateReply>();
        var choices = new SortedDictionary<uint, JsonObject>();
        foreach (var reply in replies)
        {
            if ((reply.Piece?.Index ?? reply.Finished?.Index) is not { } index)
                continue;
            if (!choices.TryGetValue(index, out var sum))
                choices[index] = sum = new() { ["index"] = index, ["text"] = "", ["tokens"] = "", ["tool_calls"] = new JsonArray() };
            if (reply.Finished is { } end)
                sum["finish_reason"] = end.Reason switch { Finished.Types.Reason.ToolCalls => "tool_calls", var reason => $"{reason}".ToLowerInvariant() };
            if (reply.Piece is not { } piece)
                continue;
            sum["text"] = (string)sum["text"]! + piece.Text;
            sum["tokens"] = (string)sum["tokens"]! + string.Concat(piece.Tokens.Select(t => $"{t.Id}:{t.Logprob:R} "));
            if (piece.ToolCall is not { } call)
                continue;
            if (call.Id.Length > 0)
                sum["tool_calls"]!.AsArray().Add(new JsonObject { ["type"] = "function", ["function"] = new JsonObject { ["name"] = call.Name, ["arguments"] = "" } });
            var function = sum["tool_calls"]!.AsArray()[^1]!["function"]!.AsObject();
            function["arguments"] = (string)function["arguments"]! + call.Arguments;
        }
        var usage = replies[^1].Summary.Usage.Clone();
        usage.CachedTokens = 0;
        return new JsonObject { ["choices"] = new JsonArray([.. choices.Values]), ["usage"] = JsonNode.Parse(JsonFormatter.Default.Format(usage)) }.ToJsonString();
    }

    async Task<string> EmbeddedAsync()
    {
        var reply = (await served.Grpc.CallAsync("/serving.v1.Generation/Embed", new EmbedRequest { Model = "m", Input = { "a cat", "the sea at night" } })).Only<EmbedReply>();
        return string.Join(';', reply.Data.OrderBy(v => v.Index).Select(v => string.Join(',', v.Values)));
    }

    /// <summary>A reply without what is new in each (ids, times, how much of the prompt was computed before) and what only whole ones have.</summary>
    static string Bare(JsonNode node)
    {
        foreach (var name in (string[])["id", "call_id", "item_id", "created", "created_at", "completed_at", "cached_tokens", "service_tier"])
            Remove(node, name);
        return Sorted(node)!.ToJsonString();
    }

    static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject members => new JsonObject(members.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => KeyValuePair.Create(m.Key, Sorted(m.Value)))),
        JsonArray items => new JsonArray([.. items.Select(Sorted)]),
        _ => node?.DeepClone(),
    };

    static void Remove(JsonNode? node, string name)
    {
        if (node is JsonObject members)
        {
            members.Remove(name);
            foreach (var (_, value) in members)
                Remove(value, name);
        }
        else if (node is JsonArray items)
            foreach (var item in items)
                Remove(item, name);
    }
}
