using System.Collections.Immutable;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Serving.Attention;
using Serving.Cache;
using Serving.Devices;
using Serving.Diagnostics;
using Serving.Grammar;
using Serving.Sampling;
using Serving.Server;
using Serving.Text.Templates;

namespace Serving.Tests;

/// <summary>The real server on a loopback port, with a real engine over a scripted model.</summary>
sealed class TestServer : IAsyncDisposable
{
    public const string ModelId = "org/tiny";

    readonly WebApplication _app;

    TestServer(WebApplication app, ScriptedDecoder decoder)
    {
        (_app, Decoder) = (app, decoder);
        Client = new() { BaseAddress = new(app.Urls.First()), Timeout = TimeSpan.FromSeconds(10) };
        Grpc = new(new(app.Urls.First()));
    }

    public ScriptedDecoder Decoder { get; }

    public HttpClient Client { get; }

    public GrpcClient Grpc { get; }

    public EngineHost Host => _app.Services.GetRequiredService<EngineHost>();

    public LlmEngine Engine => Host.Loaded.Result.Engine;

    public IServiceProvider Services => _app.Services;

    public Uri Address => Client.BaseAddress!;

    public static Task<TestServer> StartAsync(Func<ServerOptions, ServerOptions>? change = null) => StartAsync(change, _ => { });

    /// <summary>A server whose model load waits for <paramref name="beforeLoad"/>.</summary>
    public static async Task<TestServer> StartAsync(Func<ServerOptions, ServerOptions>? change, Action<ScriptedDecoder> beforeLoad, bool waits = true, TimeProvider? time = null)
    {
        var options = new ServerOptions { Model = "tiny", Port = 0, LogLevel = LogLevel.None, Engine = new() { MaxLength = 512 } };
        options = change?.Invoke(options) ?? options;
        var decoder = new ScriptedDecoder();
        var app = ServerApp.Build(options, (o, diagnostics) =>
        {
            beforeLoad(decoder);
            return Model(o, diagnostics, decoder);
        }, time);
        await app.StartAsync();
        var server = new TestServer(app, decoder);
        if (waits)
            await server.Host.Loaded;
        return server;
    }

    public Task<HttpResponseMessage> GetAsync(string path) => Client.GetAsync(new Uri(path, UriKind.Relative));

    public Task<HttpResponseMessage> PostAsync(string path, string json) =>
        Client.PostAsync(path, new StringContent(json, Encoding.UTF8, "application/json"));

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request) => Client.SendAsync(request);

    public async Task<JsonElement> JsonAsync(string path, string json)
    {
        using var reply = await AnsweredAsync(PostAsync(path, json));
        var body = await reply.Content.ReadAsStringAsync();
        Assert.True(reply.IsSuccessStatusCode, body);
        return JsonDocument.Parse(body).RootElement;
    }

    /// <summary>The events of a stream, without the closing mark, which must be there.</summary>
    public async Task<List<JsonElement>> EventsAsync(string path, string json)
    {
        using var reply = await PostAsync(path, json);
        var body = await reply.Content.ReadAsStringAsync();
        Assert.True(reply.IsSuccessStatusCode, body);
        Assert.Equal("text/event-stream; charset=utf-8", reply.Content.Headers.ContentType!.ToString());
        var frames = body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", frames[^1]);
        Assert.All(frames, frame => Assert.StartsWith("data: ", frame));
        return [.. frames[..^1].Select(frame => JsonDocument.Parse(frame["data: ".Length..]).RootElement)];
    }

    /// <summary>A reply, or a failure that says what the engine is about.</summary>
    async Task<HttpResponseMessage> AnsweredAsync(Task<HttpResponseMessage> reply)
    {
        try
        {
            return await reply;
        }
        catch (TaskCanceledException)
        {
            throw new TimeoutException($"No answer came: {Engine.Figures}");
        }
    }

    /// <summary>Waits until the engine has something to do.</summary>
    public Task BusyAsync() => UntilAsync(figures => figures.Running + figures.Waiting > 0);

    /// <summary>Waits until nothing runs or waits in the engine and no memory of it is held.</summary>
    public Task IdleAsync() => UntilAsync(figures => figures.Running + figures.Waiting + figures.PagesHeld == 0);

    public async Task UntilAsync(Func<EngineFigures, bool> reached)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!reached(Engine.Figures))
            await Task.Delay(5, patience.Token);
    }

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Decoder.Gate.Set();
        Client.Dispose();
        Grpc.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    static ServedModel Model(ServerOptions options, EngineDiagnostics diagnostics, ScriptedDecoder decoder)
    {
        var engine = new EngineOptions { MaxSequences = 8, TokensPerStep = 64, PageTokens = 16, MaxModelLength = options.Engine.MaxLength };
        engine = engine with { MaxQueuedRequests = options.Engine.MaxQueuedRequests ?? engine.MaxQueuedRequests };
        var layout = new CacheLayout([Plan], 16, engine.CacheType);
        return new(options.Seed)
        {
            Engine = new(decoder, layout, new([4096 + (options.Engine.MaxLength ?? 0) / 16]), engine, diagnostics),
            Ids = options.ServedNames.IsEmpty ? [ModelId, "tiny"] : options.ServedNames,
            Tokenizer = TinyText.Tokenizer,
            Template = options.ChatTemplate is { } source ? ChatTemplate.Parse(source) : TinyText.Template,
            StopIds = [TinyText.EndOfTurn],
            Defaults = new SamplingOptions { Temperature = 0 },
            Created = 1_700_000_000,
            Fingerprint = "fp_test",
            // Little is kept, so that tests which look at memory see what is not.
            GrammarLimits = new() { KeptStates = 20_000, MaskBytes = 1 << 20 },
        };
    }

    static AttentionPlan Plan { get; } = new()
    {
        Streams = [new("key", Projection.Of(), 4)],
        Branch = new(1, Projection.Of(), "key") { Scale = 1, Output = Projection.Of() },
    };
}
