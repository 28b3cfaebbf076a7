using System.Text.Json.Serialization.Metadata;
using Serving.Server.Http;
using Serving.Server.Telemetry;

namespace Serving.Server.OpenAi;

/// <summary>The routes of the protocol: each binds, starts and returns.</summary>
sealed class OpenAiEndpoints(ReplyServices services)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        MapTraced(routes, "/v1/chat/completions", "chat", ChatAsync);
        MapTraced(routes, "/v1/completions", "text_completion", CompleteAsync);
        MapTraced(routes, "/v1/responses", "chat", RespondAsync);
        MapTraced(routes, "/v1/embeddings", "embeddings", EmbedAsync);
        routes.MapGet("/v1/models", ModelsAsync);
        routes.MapGet("/v1/models/{**id}", ModelAsync);
        foreach (var prefix in (string[])["", "/v1"])
        {
            routes.MapPost(prefix + "/tokenize", TokenizeAsync);
            routes.MapPost(prefix + "/detokenize", DetokenizeAsync);
        }
    }

    void MapTraced(IEndpointRouteBuilder routes, string path, string operation, Func<HttpContext, RequestSpan, Task> answer) =>
        routes.MapPost(path, http => RequestSpan.AroundAsync(http, operation, services.Time, span => answer(http, span)));

    async Task ChatAsync(HttpContext http, RequestSpan span)
    {
        var model = services.Host.Model;
        var read = await RequestBody.ReadAsync(http);
        var request = ChatRequest.Read(read, model, services.Options);
        services.ReportUnread(read, http);
        span.Asks(request.Model, request.Generation);
        using var leaving = services.Host.Leaving(http.RequestAborted);
        var head = ReplyHead.Of("chatcmpl-", request.Fields, request.Model, services);
        using var run = span.Follow(new(model, [services.Admitted(request.Generation, http)], request.Fields, leaving.Token), head.Id);
        var reply = new ChatReply(head, request, new(model.Tokenizer, request.Fields.SpellsTokenIds));
        if (request.Fields.Streams)
            await services.Stream(http).SendAsync(reply.ChunksAsync(run, http.RequestAborted), OpenAiJson.Plain.ChatChunk);
        else
            await WriteAsync(http, await reply.WholeAsync(run, http.RequestAborted), OpenAiJson.Plain.ChatCompletion);
    }

    async Task CompleteAsync(HttpContext http, RequestSpan span)
    {
        var model = services.Host.Model;
        var read = await RequestBody.ReadAsync(http);
        var request = CompletionRequest.Read(read, model, services.Options);
        services.ReportUnread(read, http);
        span.Asks(request.Model, request.Generations[0]);
        using var leaving = services.Host.Leaving(http.RequestAborted);
        var head = ReplyHead.Of("cmpl-", request.Fields, request.Model, services);
        using var run = span.Follow(new(model, [.. request.Generations.Select(g => services.Admitted(g, http))], request.Fields, leaving.Token), head.Id);
        var reply = new CompletionReply(head, request, model);
        if (request.Fields.Streams)
            await services.Stream(http).SendAsync(reply.ChunksAsync(run, http.RequestAborted), OpenAiJson.Plain.TextCompletion);
        else
            await WriteAsync(http, await reply.WholeAsync(run, http.RequestAborted), OpenAiJson.Plain.TextCompletion);
    }

    Task ModelsAsync(HttpContext http)
    {
        var model = services.Host.Model;
        return WriteAsync(http, new([.. model.Ids.Select(id => Entry(model, id))]), OpenAiJson.Plain.ModelList);
    }

    Task ModelAsync(HttpContext http)
    {
        var model = services.Host.Model;
        var id = Uri.UnescapeDataString(http.Request.RouteValues["id"] as string ?? "");
        model.CheckName(id);
        return WriteAsync(http, Entry(model, id), OpenAiJson.Plain.ModelEntry);
    }

    async Task RespondAsync(HttpContext http, RequestSpan span)
    {
        var model = services.Host.Model;
        var read = await RequestBody.ReadAsync(http);
        var (response, request) = ResponseRequest.Read(read, model, services.Options);
        services.ReportUnread(read, http);
        span.Asks(request.Model, request.Generation);
        using var leaving = services.Host.Leaving(http.RequestAborted);
        var head = ReplyHead.Of("resp_", request.Fields, request.Model, services);
        using var run = span.Follow(new(model, [services.Admitted(request.Generation, http)], request.Fields, leaving.Token), head.Id);
        var reply = new ResponseReply(head, response, new(head, request, new(model.Tokenizer, request.Fields.SpellsTokenIds)));
        if (request.Fields.Streams)
            await services.Stream(http).SendAsync(reply.EventsAsync(run, http.RequestAborted), OpenAiJson.Plain.JsonObject, e => e["type"]!.GetValue<string>());
        else
            await WriteAsync(http, await reply.WholeAsync(run, http.RequestAborted), OpenAiJson.Plain.JsonObject);
    }

    async Task EmbedAsync(HttpContext http, RequestSpan span)
    {
        var model = services.Host.Model;
        var request = EmbeddingRequest.Read(await RequestBody.ReadAsync(http), model, services.Options);
        span.Asks(request.Model, request.Generations[0]);
        using var leaving = services.Host.Leaving(http.RequestAborted);
        var reply = await EmbeddingList.OfAsync([.. request.Generations.Select(g => services.Admitted(g, http))], request, model, leaving.Token);
        span.Read(reply.Usage.PromptTokens);
        await WriteAsync(http, reply, OpenAiJson.Plain.EmbeddingList);
    }

    async Task TokenizeAsync(HttpContext http)
    {
        var model = services.Host.Model;
        var read = await RequestBody.ReadAsync(http);
        var reply = TokenizeRequest.Tokens(read, model, services.Options);
        services.ReportUnread(read, http);
        await WriteAsync(http, reply, OpenAiJson.Plain.TokenizeReply);
    }

    async Task DetokenizeAsync(HttpContext http)
    {
        var model = services.Host.Model;
        var read = await RequestBody.ReadAsync(http);
        var reply = TokenizeRequest.Text(read, model);
        services.ReportUnread(read, http);
        await WriteAsync(http, reply, OpenAiJson.Plain.DetokenizeReply);
    }

    static ModelEntry Entry(ServedModel model, string id) => new(id, model.Created, model.MaxLength);

    static Task WriteAsync<T>(HttpContext http, T body, JsonTypeInfo<T> type) =>
        http.Response.WriteAsJsonAsync(body, type, cancellationToken: http.RequestAborted);
}
