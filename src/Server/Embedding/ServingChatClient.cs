using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Serving.Diagnostics;
using Serving.Model;
using Serving.Server.Commands;
using Serving.Server.Http;
using Serving.Server.OpenAi;

namespace Serving.Server.Embedding;

/// <summary>
/// A model in this process, spoken to through Microsoft.Extensions.AI. A request is checked and answered as POST /v1/chat/completions does it;
/// many may run at once and share steps and cached prefixes. A request that is refused is an <see cref="ArgumentException"/>.
/// </summary>
public sealed class ServingChatClient : IChatClient, IAsyncDisposable
{
    readonly ServedModel _model;
    readonly ServerOptions _options;
    readonly ChatClientMetadata _metadata;
    bool _disposed;

    internal ServingChatClient(ServedModel model, ServerOptions options) =>
        (_model, _options, _metadata) = (model, options, new("serving", null, model.Ids[0]));

    /// <summary>Loads the model. A checkpoint or a setting that is wrong is an <see cref="ArgumentException"/> whose message is for people.</summary>
    public static ServingChatClient Load(ServingOptions? options = null)
    {
        options ??= new();
        try
        {
            var flags = options.Settings.ToDictionary(s => Known(s.Key), s => new[] { s.Value });
            if (options.Model is { } path)
                flags[Settings.Model.Name] = [path];
            var settings = ServeCommand.OptionsFrom(new(flags, _ => null));
            return new(ModelLoading.Load(settings, new EngineDiagnostics()), settings);
        }
        catch (Exception error) when (error is SettingException or CheckpointException)
        {
            throw new ArgumentException(error.Message, nameof(options), error);
        }
    }

    /// <inheritdoc/>
    public Task<ChatResponse> GetResponseAsync(
        IEnumerable<Microsoft.Extensions.AI.ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<Microsoft.Extensions.AI.ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var json = ChatJson.Of(messages, options, _model.Ids[0]);
        var (request, run) = Start(new(json.RootElement, ""), cancellationToken);
        using var running = run;
        var head = new ReplyHead($"chatcmpl-{Guid.NewGuid():N}", DateTimeOffset.UtcNow.ToUnixTimeSeconds(), request.Model, _model.Fingerprint);
        var reply = new ChatReply(head, request, new(_model.Tokenizer, request.Fields.SpellsTokenIds));
        var message = $"msg_{Guid.NewGuid():N}";
        var updates = new ChatUpdates();
        await foreach (var chunk in reply.ChunksAsync(run, cancellationToken))
        {
            if (updates.Of(chunk) is not { } update)
                continue;
            (update.ResponseId, update.MessageId, update.ModelId) = (head.Id, message, head.Model);
            yield return update;
        }
        yield return new(ChatRole.Assistant, [new UsageContent(ChatUpdates.UsageOf(reply.Usage(run)))])
        {
            ResponseId = head.Id, MessageId = message, ModelId = head.Model,
        };
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is not null ? null
        : serviceType == typeof(ChatClientMetadata) ? _metadata
        : serviceType.IsInstanceOfType(this) ? this
        : null;

    /// <summary>Ends what runs and gives memory back; the second call does nothing.</summary>
    public ValueTask DisposeAsync() => Interlocked.Exchange(ref _disposed, true) ? default : _model.DisposeAsync();

    /// <inheritdoc/>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    (ChatRequest, TextRun) Start(RequestReader read, CancellationToken cancellation)
    {
        try
        {
            var request = ChatRequest.Read(read, _model, _options);
            return read.Unread().FirstOrDefault() is { } unknown
                ? throw ApiException.Invalid(unknown, "unknown_parameter", $"Unknown parameter: '{unknown}'.")
                : (request, new(_model, [request.Generation], request.Fields, cancellation));
        }
        catch (ApiException refusal)
        {
            throw new ArgumentException(refusal.Error.Message, refusal.Error.Param, refusal);
        }
    }

    static string Known(string name) => Settings.Find(name)?.Name ?? throw new SettingException(
        $"There is no setting '{name}'." + (Settings.Nearest(name, Settings.All.Select(s => s.Name)) is { } near ? $" Did you mean '{near}'?" : ""));
}
