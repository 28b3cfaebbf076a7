// The library marks its client of responses as one that may change.
#pragma warning disable OPENAI001

using System.ClientModel;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;
using OpenAI.Responses;

namespace Serving.Tests;

/// <summary>The official .NET client of the protocol reads what the server writes.</summary>
public sealed class OfficialClientTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    OpenAIClient Service => new(new ApiKeyCredential("none"), new() { Endpoint = new(fixture.Server.Client.BaseAddress!, "/v1") });

    ChatClient Client => Service.GetChatClient("tiny");

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_reads_a_whole_chat()
    {
        var options = new ChatCompletionOptions { IncludeLogProbabilities = true, TopLogProbabilityCount = 2, Temperature = 0 };
        ChatCompletion reply = await Client.CompleteChatAsync([new SystemChatMessage("Be brief."), new UserChatMessage("Hi")], options, Stop);
        Assert.Equal(ScriptedDecoder.Script, reply.Content.Single().Text);
        Assert.Equal(ChatFinishReason.Stop, reply.FinishReason);
        Assert.Equal(14, reply.Usage.OutputTokenCount);
        Assert.Equal(14, reply.ContentTokenLogProbabilities.Count);
        Assert.Equal(2, reply.ContentTokenLogProbabilities[0].TopLogProbabilities.Count);
    }

    [Fact]
    public async Task It_reads_a_streamed_chat()
    {
        var text = "";
        ChatFinishReason? finish = null;
        ChatTokenUsage? usage = null;
        await foreach (var update in Client.CompleteChatStreamingAsync([new UserChatMessage("Hi")], cancellationToken: Stop))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            finish ??= update.FinishReason;
            usage = update.Usage ?? usage;
        }
        Assert.Equal(ScriptedDecoder.Script, text);
        Assert.Equal(ChatFinishReason.Stop, finish);
        Assert.Equal(14, usage?.OutputTokenCount);
    }

    [Fact]
    public async Task It_reads_a_refusal()
    {
        var error = await Assert.ThrowsAsync<ClientResultException>(() =>
            Client.CompleteChatAsync([new UserChatMessage("Hi")], new ChatCompletionOptions { Temperature = 9 }, Stop));
        Assert.Equal(400, error.Status);
        Assert.Contains("temperature", error.Message);
    }

    [Fact]
    public async Task It_lists_the_models()
    {
        var models = await new OpenAIClient(new ApiKeyCredential("none"), new() { Endpoint = new(fixture.Server.Client.BaseAddress!, "/v1") })
            .GetOpenAIModelClient().GetModelsAsync(Stop);
        Assert.Equal(["org/tiny", "tiny"], models.Value.Select(m => m.Id));
    }

    [Fact]
    public async Task It_reads_embeddings()
    {
        var reply = await Service.GetEmbeddingClient("tiny").GenerateEmbeddingsAsync(["ab", "c"], cancellationToken: Stop);
        Assert.Equal([4, 4], reply.Value.Select(vector => vector.ToFloats().Length));
        Assert.Equal(3, reply.Value.Usage.InputTokenCount);
    }

    [Fact]
    public async Task It_reads_responses_whole_and_streamed()
    {
        var client = Service.GetResponsesClient();
        CreateResponseOptions options = new() { Model = "tiny", InputItems = { ResponseItem.CreateUserMessageItem("Hi") } };
        ResponseResult whole = await client.CreateResponseAsync(options, Stop);
        Assert.Equal(ScriptedDecoder.Script, whole.GetOutputText());
        Assert.Equal(14, whole.Usage.OutputTokenCount);
        var text = "";
        options.StreamingEnabled = true;
        await foreach (var update in await client.CreateResponseStreamingAsync(options, Stop))
            text += update is StreamingResponseOutputTextDeltaUpdate delta ? delta.Delta : "";
        Assert.Equal(ScriptedDecoder.Script, text);
    }
}
