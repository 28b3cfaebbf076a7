using Serving.Protos;
using Serving.Scheduling;
using Serving.Server.Grpc.Framing;
using Serving.Server.Http;
using Serving.Server.OpenAi;
using Serving.Server.Telemetry;

namespace Serving.Server.Grpc;

/// <summary>serving.v1.Generation: each method reads as its route over HTTP does, and writes messages instead of JSON.</summary>
sealed class GenerationService(ReplyServices services)
{
    public GrpcService Bound() => new GrpcService(GenerationReflection.Descriptor.Services[0])
        .Streaming<GenerateRequest>("Generate", (message, call) =>
            RequestSpan.AroundAsync(call.Http, message.Chat is null ? "text_completion" : "chat", services.Time, span => GenerateAsync(message, call, span)))
        .Unary<EmbedRequest, EmbedReply>("Embed", async (message, call) =>
        {
            var reply = new EmbedReply();
            await RequestSpan.AroundAsync(call.Http, "embeddings", services.Time, span => EmbedAsync(message, reply, call, span));
            return reply;
        })
        .Unary<Protos.TokenizeRequest, Protos.TokenizeReply>("Tokenize", Tokenize)
        .Unary<DetokenizeRequest, Protos.DetokenizeReply>("Detokenize", Detokenize)
        .Unary<ModelsRequest, ModelsReply>("Models", Models);

    async Task GenerateAsync(GenerateRequest message, GrpcCall call, RequestSpan span)
    {
        var model = services.Host.Model;
        using var json = new RequestJson(message);
        var (fields, generation, chat) = json.Read(read => Request(message, read, model));
        var replies = new GenerateReplies(model.Tokenizer, chat, services.Time);
        services.ReportUnread(json.Fields, call.Http);
        span.Asks(message.Model, generation);
        var signed = ReplyServices.Signed(generation, call.Http);
        using var leaving = services.Host.Leaving(call.Cancellation);
        using var run = span.Follow(json.Read(_ => new TextRun(model, [signed], fields, leaving.Token)), call.Http.TraceIdentifier);
        await using var deltas = run.ReadAsync(call.Cancellation).GetAsyncEnumerator(call.Cancellation);
        while (await NextAsync(deltas, call))
        {
            foreach (var reply in replies.Of(deltas.Current, run))
                await call.WriteAsync(reply);
        }
        await call.WriteAsync(replies.Summary(run));
    }

    (GenerationFields, GenerationRequest, ChatParts?) Request(GenerateRequest message, RequestReader read, ServedModel model)
    {
        if (message.InputCase == GenerateRequest.InputOneofCase.Chat)
        {
            var chat = ChatRequest.Read(read, model, services.Options);
            return (chat.Fields, chat.Generation, new(chat));
        }
        var text = CompletionRequest.Read(read, model, services.Options);
        return (text.Fields, text.Generations[0], null);
    }

    async Task EmbedAsync(EmbedRequest message, EmbedReply reply, GrpcCall call, RequestSpan span)
    {
        var model = services.Host.Model;
        using var json = new RequestJson(message);
        var request = json.Read(read => EmbeddingRequest.Read(read, model, services.Options));
        span.Asks(request.Model, request.Generations[0]);
        using var leaving = services.Host.Leaving(call.Cancellation);
        var vectors = await EmbeddingList.VectorsAsync([.. request.Generations.Select(g => ReplyServices.Signed(g, call.Http))], request, model, leaving.Token);
        var tokens = (uint)request.Generations.Sum(g => g.Prompt.Length);
        span.Read((int)tokens);
        reply.Data.AddRange(vectors.Select((values, i) => new EmbedReply.Types.Vector { Index = (uint)i, Values = { values } }));
        reply.Usage = new() { PromptTokens = tokens, TotalTokens = tokens };
    }

    /// <summary>Moves on; what was written is sent off when there is nothing more at hand.</summary>
    static async ValueTask<bool> NextAsync<T>(IAsyncEnumerator<T> source, GrpcCall call)
    {
        var next = source.MoveNextAsync();
        if (!next.IsCompleted)
            await call.FlushAsync();
        return await next;
    }

    ValueTask<Protos.TokenizeReply> Tokenize(Protos.TokenizeRequest message, GrpcCall call)
    {
        var model = services.Host.Model;
        using var json = new RequestJson(message);
        var reply = json.Read(read => OpenAi.TokenizeRequest.Tokens(read, model, services.Options));
        services.ReportUnread(json.Fields, call.Http);
        return new(new Protos.TokenizeReply
        {
            Tokens = { reply.Tokens.Select(id => (uint)id) },
            TokenStrs = { reply.TokenStrs ?? [] },
            MaxModelLen = (uint)reply.MaxModelLen,
        });
    }

    ValueTask<Protos.DetokenizeReply> Detokenize(DetokenizeRequest message, GrpcCall call)
    {
        var model = services.Host.Model;
        using var json = new RequestJson(message);
        return new(new Protos.DetokenizeReply { Prompt = json.Read(read => OpenAi.TokenizeRequest.Text(read, model)).Prompt });
    }

    ValueTask<ModelsReply> Models(ModelsRequest message, GrpcCall call)
    {
        var model = services.Host.Model;
        return new(new ModelsReply
        {
            Models =
            {
                model.Ids.Select(id => new Protos.Model
                {
                    Id = id, Created = model.Created, MaxModelLen = (uint)model.MaxLength, VocabularySize = (uint)model.VocabularySize,
                }),
            },
        });
    }
}
