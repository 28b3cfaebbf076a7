using System.Collections.Immutable;
using Serving.Cache;
using Serving.Diagnostics;
using Serving.Model;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving;

/// <summary>The façade: start a generation, read its events, cancel it, read the engine's figures. Any thread may call.</summary>
public sealed class LlmEngine : IAsyncDisposable
{
    readonly EngineLoop _loop;
    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Starts an engine on a decoder whose cache has this layout and this size; guesses are prompt look-ups if no drafter makes them.</summary>
    public LlmEngine(
        IDecoder decoder, CacheLayout layout, CacheSize size, EngineOptions options, EngineDiagnostics? diagnostics = null, IDrafter? drafter = null)
    {
        _loop = new(decoder, layout, size, options, diagnostics ?? new(), drafter);
        (VocabularySize, HiddenSize) = (decoder.VocabularySize, decoder.HiddenSize);
        new Thread(() =>
        {
            _loop.Run();
            _ended.SetResult();
        }) { Name = "Engine", IsBackground = true }.Start();
    }

    /// <summary>Longest sequence, prompt and continuation.</summary>
    public int MaxLength => _loop.Door.Limits.MaxLength;

    /// <summary>Tokens of the model's vocabulary.</summary>
    public int VocabularySize { get; }

    /// <summary>Values of a pooled state.</summary>
    public int HiddenSize { get; }

    /// <summary>What the engine holds and has done.</summary>
    public EngineFigures Figures => _loop.Figures;

    /// <summary>What a caller has waiting, and how much it may; callers are told apart by <see cref="GenerationRequest.Caller"/>.</summary>
    public QueueRoom RoomOf(string caller) => _loop.Door.RoomOf(caller);

    /// <summary>Completes when the engine's thread has ended: never before a drain or disposal, unless the engine broke.</summary>
    public Task Ended => _ended.Task;

    /// <summary>
    /// Takes a request in. Throws <see cref="RequestRefusedException"/>, whose message is for the caller, when the request makes no sense,
    /// can never fit, or would wait too long. A cancelled token ends all choices with <see cref="FinishReason.Cancelled"/>.
    /// </summary>
    public Generation Start(GenerationRequest request, CancellationToken cancellation = default)
    {
        var generation = _loop.Submit(request);
        generation.CancelWith(cancellation);
        return generation;
    }

    /// <summary>Refuses new requests and waits for the others to end; cancellation ends them at once.</summary>
    public async Task DrainAsync(CancellationToken cancellation = default)
    {
        _loop.Stop(cancel: false);
        await using var hurry = cancellation.UnsafeRegister(static loop => ((EngineLoop)loop!).Stop(cancel: true), _loop);
        await _ended.Task.ConfigureAwait(false);
    }

    /// <summary>Cancels what runs and ends the engine's thread.</summary>
    public async ValueTask DisposeAsync()
    {
        _loop.Stop(cancel: true);
        await _ended.Task.ConfigureAwait(false);
        _loop.Dispose();
    }
}
