using Serving.Protos;
using Serving.Scheduling;
using Serving.Server.Grpc.Framing;
using Serving.Server.Http;
using Serving.Server.OpenAi;

namespace Serving.Server.Grpc;

/// <summary>serving.v1.Generation: each method reads as its route over HTTP does, and writes messages instead of JSON.</summary>
sealed class GenerationService(ReplyServices services)
{
    public GrpcService Bound() => new GrpcService(GenerationReflection.Descriptor.Services[0])
        .Streaming<GenerateRequest>("Generate", GenerateAsync)
        .Unary<Protos.TokenizeRequest, Protos.TokenizeReply>("Tokenize", Tokenize)
        .Unary<DetokenizeRequest, Protos.DetokenizeReply>("Detokenize", Detokenize)
        .Unary<ModelsRequest, ModelsReply>("Models", Models);

    async Task GenerateAsync(GenerateRequest message, GrpcCall call)
    {
        var model = services.Host.Model;
        var replies = new GenerateReplies(model.Tokenizer, services.Time);
        using var json = new RequestJson(message);
        var (fields, generation) = json.Read(read => Request(message, read, model));
        services.ReportUnread(json.Fields, call.Http);
        var signed = ReplyServices.Signed(generation, call.Http);
        using var leaving = services.Host.Leaving(call.Cancellation);
        using var run = json.Read(_ => new TextRun(model, [signed], fields, leaving.Token));
        await using var deltas = run.ReadAsync(call.Cancellation).GetAsyncEnumerator(call.Cancellation);
        while (await NextAsync(deltas, call))
        {
            foreach (var reply in replies.Of(deltas.Current, run))
                await call.WriteAsync(reply);
        }
        await call.WriteAsync(replies.Summary(run));
    }

    (GenerationFields, GenerationRequest) Request(GenerateRequest message, RequestReader read, ServedModel model)
    {
        if (message.InputCase == GenerateRequest.InputOneofCase.Chat)
            return ChatRequest.Read(read, model, services.Options) is var chat ? (chat.Fields, chat.Generation) : default;
        var text = CompletionRequest.Read(read, model, services.Options);
        return (text.Fields, text.Generations[0]);
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
