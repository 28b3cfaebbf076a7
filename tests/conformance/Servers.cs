using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Serving.Server;
using Serving.Server.Commands;

namespace Serving.Conformance;

/// <summary>
/// The servers that rows are checked on: the one that SERVING_CONFORMANCE_URL names, or one on the embedded model for every setup,
/// started when a row first asks for it.
/// </summary>
public sealed class Servers : IAsyncLifetime
{
    static readonly string? Url = Environment.GetEnvironmentVariable("SERVING_CONFORMANCE_URL");

    readonly ConcurrentDictionary<Setup, Task<Target>> _targets = [];
    readonly ConcurrentBag<WebApplication> _apps = [];
    readonly CancellationTokenSource _ended = new();

    /// <summary>A server of a setup; the test is skipped where there can be none.</summary>
    public Task<Target> OfAsync(Setup setup)
    {
        Assert.SkipUnless(Url is null || setup == Setup.Plain, "This row needs a server that is started in a way of its own.");
        return _targets.GetOrAdd(setup, wanted => Url is null ? StartAsync(wanted) : ConnectAsync(new(Url)));
    }

    /// <inheritdoc/>
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        foreach (var app in _apps)
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }
        foreach (var target in _targets.Values)
            (await target).Dispose();
        _ended.Dispose();
    }

    async Task<Target> StartAsync(Setup setup)
    {
        var options = setup.Change(new()
        {
            Model = ModelLoading.DefaultModel() ?? throw new DirectoryNotFoundException("The embedded model is not there."),
            Port = 0,
            LogLevel = LogLevel.None,
            Engine = new() { CacheBytes = 64 << 20, MaxLength = 2048 },
            DrainTime = TimeSpan.FromSeconds(1),
        });
        var app = ServerApp.Build(options, (o, diagnostics) =>
        {
            if (setup.NeverLoads)
                _ended.Token.WaitHandle.WaitOne();
            return ModelLoading.Load(o, diagnostics);
        });
        _apps.Add(app);
        await app.StartAsync();
        var name = setup.NeverLoads ? "none" : (await app.Services.GetRequiredService<EngineHost>().Loaded).Ids[0];
        return new(new(app.Urls.First()), name);
    }

    static async Task<Target> ConnectAsync(Uri url)
    {
        using var probe = new Target(url, "");
        return new(url, (await probe.GetAsync("/v1/models")).CheckStatus(200)["data.0"].Text("id")!);
    }
}
