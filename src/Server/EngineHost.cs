using System.Diagnostics;
using Serving.Server.Http;

namespace Serving.Server;

/// <summary>Loads the model beside the running server, says whether requests can be served, and lets them end when the process must.</summary>
sealed class EngineHost(
    ServerOptions options, Func<ServedModel> load, StallWatch stalls, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<EngineHost> logger)
    : IHostedService, IAsyncDisposable
{
    /// <summary>How often steps are looked at, whether anybody asks or not.</summary>
    static readonly TimeSpan WatchInterval = TimeSpan.FromMilliseconds(500);

    readonly TaskCompletionSource<ServedModel> _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly CancellationTokenSource _drained = new();

    ITimer? _watch;
    bool _wasStalled;
    bool _disposed;

    /// <summary>The model once it is there; fails where it cannot be served.</summary>
    public Task<ServedModel> Loaded => _loaded.Task;

    /// <summary>The model; a 503 while there is none, and when none is served any more.</summary>
    public ServedModel Model =>
        lifetime.ApplicationStopping.IsCancellationRequested ? throw ApiException.Draining()
        : _loaded.Task.IsCompletedSuccessfully ? _loaded.Task.Result
        : throw ApiException.Loading();

    /// <summary>ready, loading, draining, stalled or failed, as the readiness route says it.</summary>
    public string State =>
        lifetime.ApplicationStopping.IsCancellationRequested ? "draining"
        : !_loaded.Task.IsCompletedSuccessfully ? "loading"
        : StateOf(_loaded.Task.Result);

    /// <summary>Cancelled with the client, or when the time to drain is over.</summary>
    public CancellationTokenSource Leaving(CancellationToken client) => CancellationTokenSource.CreateLinkedTokenSource(client, _drained.Token);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        lifetime.ApplicationStopping.Register(() =>
        {
            ServerLog.Draining(logger, options.DrainTime.TotalSeconds);
            _drained.CancelAfter(options.DrainTime);
        });
        _watch = time.CreateTimer(_ => Watch(), null, WatchInterval, WatchInterval);
        new Thread(Load) { IsBackground = true, Name = "model loading" }.Start();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
            return;
        if (_loaded.Task.IsCompletedSuccessfully)
            await _loaded.Task.Result.DisposeAsync();
        _drained.Dispose();
        _watch?.Dispose();
    }

    string StateOf(ServedModel model)
    {
        var figures = model.Engine.Figures;
        return model.Engine.Ended.IsCompleted ? "failed"
            : stalls.IsStalled(figures.Steps, figures.Running + figures.Waiting > 0) ? "stalled"
            : "ready";
    }

    void Watch()
    {
        var isStalled = State == "stalled";
        if (isStalled == _wasStalled)
            return;
        _wasStalled = isStalled;
        if (isStalled)
            ServerLog.Stalled(logger, options.StallTime.TotalSeconds);
        else
            ServerLog.Recovered(logger);
    }

    void Load()
    {
        var started = Stopwatch.GetTimestamp();
        ServerLog.Loading(logger, options.Model);
        try
        {
            var model = load();
            if (model.Notice is { } notice)
                ServerLog.Notice(logger, notice);
            ServerLog.Loaded(logger, options.Model, Stopwatch.GetElapsedTime(started).TotalSeconds, model.Device, model.MaxLength);
            _loaded.SetResult(model);
        }
        catch (Exception error)
        {
            ServerLog.LoadFailed(logger, options.Model, error.Message);
            ServerLog.LoadFailedBecause(logger, error);
            _loaded.SetException(error);
            Environment.ExitCode = 1;
            lifetime.StopApplication();
        }
    }
}
