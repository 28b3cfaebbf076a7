using Microsoft.Extensions.AI;
using Serving.Server.Commands;
using Serving.Server.Embedding;

namespace Serving.Tests;

/// <summary>The model inside another .NET program, and the commands that are such programs.</summary>
public sealed class EmbeddingTests(EmbeddingTests.Loaded loaded) : IClassFixture<EmbeddingTests.Loaded>
{
    const string Fruits = "1. Banana\n2. Apple\n3. Grapefruit";

    static readonly ChatOptions Greedy = new() { Temperature = 0, MaxOutputTokens = 40 };

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    public sealed class Loaded : IDisposable
    {
        public ServingChatClient Client { get; } = ServingChatClient.Load(new() { Settings = { ["kv-cache-memory-bytes"] = "64MiB", ["max-model-len"] = "1024" } });

        public void Dispose() => Client.Dispose();
    }

    [Fact]
    public async Task The_sample_of_the_documentation_runs()
    {
        Assert.Equal(Fruits, await EmbeddingSample.FruitsAsync());
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Serving.sln")))
            root = Path.GetDirectoryName(root)!;
        var page = await File.ReadAllTextAsync(Path.Combine(root, "docs", "embedding.md"), Stop);
        var sample = await File.ReadAllLinesAsync(Path.Combine(root, "tests", "Server.Tests", "Embedding", "EmbeddingSample.cs"), Stop);
        var lines = sample.SkipWhile(line => !line.Contains("new ServiceCollection")).TakeWhile(line => !line.Contains("return")).Select(line => line.Trim());
        Assert.All(lines, line => Assert.Contains(line, page));
    }

    [Fact]
    public async Task Streamed_says_the_same_as_whole_with_usage_and_reason()
    {
        var whole = await loaded.Client.GetResponseAsync([new(ChatRole.User, "List three fruits.")], Greedy, Stop);
        var pieces = new List<ChatResponseUpdate>();
        await foreach (var update in loaded.Client.GetStreamingResponseAsync([new(ChatRole.User, "List three fruits.")], Greedy, Stop))
            pieces.Add(update);
        Assert.Equal(Fruits, whole.Text);
        Assert.Equal(whole.Text, string.Concat(pieces.Select(piece => piece.Text)));
        Assert.Equal(ChatFinishReason.Stop, whole.FinishReason);
        Assert.Equal(14, whole.Usage?.OutputTokenCount);
        Assert.True(pieces.Count > 5);
    }

    [Fact]
    public async Task Options_reach_the_model()
    {
        ChatOptions options = new() { Temperature = 0, StopSequences = ["2."], AdditionalProperties = new() { ["min_tokens"] = 1 } };
        Assert.Equal("1. Banana\n", (await loaded.Client.GetResponseAsync("List three fruits.", options, Stop)).Text);
        var cut = await loaded.Client.GetResponseAsync("List three fruits.", new() { Temperature = 0, MaxOutputTokens = 3 }, Stop);
        Assert.Equal((ChatFinishReason.Length, 3L), (cut.FinishReason, cut.Usage?.OutputTokenCount));
    }

    [Fact]
    public async Task Tools_are_called_and_their_results_taken()
    {
        var weather = AIFunctionFactory.CreateDeclaration("get_weather", "The weather of a city.", System.Text.Json.JsonElement.Parse("""
            {"type": "object", "properties": {"city": {"enum": ["Bern", "Oslo"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["city", "days"]}
            """u8));
        ChatOptions options = new() { Temperature = 0, MaxOutputTokens = 80, Tools = [weather], ToolMode = ChatToolMode.RequireAny, AllowMultipleToolCalls = false };
        List<ChatMessage> messages = [new(ChatRole.User, "How is the weather in Oslo?")];
        var asked = await loaded.Client.GetResponseAsync(messages, options, Stop);
        Assert.Equal(ChatFinishReason.ToolCalls, asked.FinishReason);
        var call = asked.Messages.SelectMany(m => m.Contents).OfType<FunctionCallContent>().Single();
        Assert.Equal(("get_weather", null), (call.Name, call.Exception));
        Assert.Contains($"{call.Arguments!["city"]}", (string[])["Bern", "Oslo"]);
        Assert.InRange(((System.Text.Json.JsonElement)call.Arguments["days"]!).GetInt32(), 1, 9);
        messages.AddRange(asked.Messages);
        messages.Add(new(ChatRole.Tool, [new FunctionResultContent(call.CallId, "Rain.")]));
        var told = await loaded.Client.GetResponseAsync(messages, new() { Temperature = 0, MaxOutputTokens = 10, Tools = [weather], ToolMode = ChatToolMode.None }, Stop);
        Assert.NotEmpty(told.Text);
    }

    [Fact]
    public void Thoughts_and_calls_of_a_stream_are_contents_of_their_own()
    {
        var updates = new ChatUpdates();
        string[] chunks = ["{\"reasoning_content\": \"Hm\"}", "{\"content\": \"Well\"}",
            "{\"tool_calls\": [{\"index\": 0, \"id\": \"a\", \"function\": {\"name\": \"f\", \"arguments\": \"{\\\"x\\\":\"}}]}",
            "{\"tool_calls\": [{\"index\": 0, \"function\": {\"arguments\": \" 1}\"}}]}", "{\"tool_calls\": [{\"index\": 1, \"id\": \"b\", \"function\": {\"name\": \"g\", \"arguments\": \"{\"}}]}"];
        var contents = chunks.Select(delta => Chunk(delta, null)).Append(Chunk("{}", "tool_calls")).Select(updates.Of).OfType<ChatResponseUpdate>().SelectMany(update => update.Contents).ToList();
        Assert.Equal(("Hm", "Well"), (((TextReasoningContent)contents[0]).Text, ((TextContent)contents[1]).Text));
        var (first, second) = ((FunctionCallContent)contents[2], (FunctionCallContent)contents[3]);
        Assert.Equal(("a", "f", "1", null), (first.CallId, first.Name, $"{first.Arguments!["x"]}", first.Exception));
        Assert.Equal(("b", "g"), (second.CallId, second.Name));
        Assert.NotNull(second.Exception);

        static Server.OpenAi.ChatChunk Chunk(string delta, string? reason) => new("id", 0, "m",
            [new(0, System.Text.Json.JsonSerializer.Deserialize(delta, Server.OpenAi.OpenAiJson.Plain.ChatDelta)!, null, reason)], "f");
    }

    [Fact]
    public async Task What_is_wrong_is_said()
    {
        var hot = await Assert.ThrowsAsync<ArgumentException>(() => loaded.Client.GetResponseAsync("Hi", new() { Temperature = 5 }, Stop));
        Assert.Equal("temperature", hot.ParamName);
        var unknown = await Assert.ThrowsAsync<ArgumentException>(() =>
            loaded.Client.GetResponseAsync("Hi", new() { AdditionalProperties = new() { ["tempo"] = 1 } }, Stop));
        Assert.Contains("tempo", unknown.Message);
        await Assert.ThrowsAsync<ArgumentException>(() =>
            loaded.Client.GetResponseAsync([new(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")])], null, Stop));
        var setting = Assert.Throws<ArgumentException>(() => ServingChatClient.Load(new() { Settings = { ["max-num-seq"] = "4" } }));
        Assert.Contains("Did you mean 'max-num-seqs'?", setting.Message);
        Assert.Throws<ArgumentException>(() => ServingChatClient.Load(new() { Model = "/nowhere/at/all" }));
    }

    [Fact]
    public async Task Chat_in_a_terminal_remembers_until_it_is_cleared()
    {
        var output = new StringWriter();
        await ChatCommand.TalkAsync(loaded.Client, new() { Temperature = 0, MaxOutputTokens = 30 }, new StringReader("List three fruits.\nAnd three colours?\n/clear\nList three fruits.\n\nnot read"), output, Stop);
        var said = output.ToString();
        Assert.Equal(2, said.Split(Fruits).Length - 1);
        Assert.Contains("[14 tokens, the first after ", said);
        Assert.EndsWith("> ", said);
    }
}
