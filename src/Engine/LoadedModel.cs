using System.Collections.Immutable;
using Serving.Cache;
using Serving.Devices;
using Serving.Diagnostics;
using Serving.Model;
using Serving.Model.Types;

namespace Serving;

/// <summary>A checkpoint on a device, with its cache, behind an engine. It owns all of them.</summary>
public sealed class LoadedModel : IAsyncDisposable
{
    readonly IDevice _device;
    readonly LatentCache _cache;
    readonly StateMemory _states;
    readonly SwapMemory? _swap;
    readonly Decoder _decoder;
    readonly DraftCheckpoint? _draft;

    /// <summary>Brings a checkpoint to a device, and beside it one that guesses for it if there is one, and starts an engine on them.</summary>
    /// <exception cref="CheckpointException">The checkpoint is not a model that is served; the message says why.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or the cache too small for a page.</exception>
    /// <exception cref="InsufficientMemoryException">Weights and cache are more than the device has free; the message names the numbers and the options.</exception>
    public LoadedModel(Checkpoint checkpoint, IDevice device, EngineOptions options, EngineDiagnostics? diagnostics = null, Checkpoint? draft = null)
    {
        options = options.Checked();
        (Checkpoint, _device) = (checkpoint, device);
        _draft = draft is null ? null : new(draft, checkpoint, options);
        var ledger = checkpoint.OpenLedger();
        var plan = ModelTypes.Plan(new(checkpoint.Config, ledger));
        var longest = Math.Min(options.MaxModelLength ?? int.MaxValue, plan.MaxLength);
        var paths = new NumericPaths(plan, options.Execution, Label(options));
        Plan = plan with { Expands = paths.Expands(longest) };
        Layout = new([.. Plan.Attentions], options.PageTokens ?? CacheLayout.PageTokensFor(Plan.Attentions), options.CacheType);
        // Both caches hold the same tokens.
        var ownShare = Layout.BytesPerToken / (Layout.BytesPerToken + (_draft?.Layout.BytesPerToken ?? 0));
        var cacheBytes = options.CacheBytes ?? DefaultCacheBytes(options, longest, ownShare, draft?.ByteLength ?? 0);
        CheckMemory(checkpoint.ByteLength + (draft?.ByteLength ?? 0), cacheBytes);
        Size = Layout.SizeWithin(
            (long)(cacheBytes * ownShare), longest, options.TokensPerStep, options.Drafting is null ? options.MaxSequences : 2 * options.MaxSequences,
            options.EnablePrefixCaching ? options.SnapshotBytes : 0);
        (_cache, _states) = (new(device, Layout, Size.Pages), new(device, Layout.States, Size));
        if (options.SwapBytes is { } swapBytes)
        {
            Size = Size with { Swap = Layout.SizeWithin(swapBytes, longest, options.TokensPerStep, options.MaxSequences, 0) };
            _swap = new(device, _cache, _states, Size.Swap);
            options = options with { SwapCost = options.SwapCost ?? CostOf(_swap, options.TokensPerStep) };
        }
        _decoder = new(Plan, new(ledger, device, options.RoundWeights), device, _cache, _states, options.TokensPerStep) { SwapMemory = _swap };
        ledger.Close();
        var drafter = _draft?.Place(device, options, (long)(cacheBytes * (1 - ownShare)), longest, Plan.VocabularySize);
        Engine = new(_decoder, Layout, Size, options with { MaxModelLength = longest, PathOf = paths.Of, ImageIds = Plan.ImageIds }, diagnostics, drafter);
    }

    /// <summary>The checkpoint.</summary>
    public Checkpoint Checkpoint { get; }

    /// <summary>The model as data.</summary>
    public ModelPlan Plan { get; }

    /// <summary>Where every cached byte lies.</summary>
    public CacheLayout Layout { get; }

    /// <summary>Pages of each group of layers, and places of states.</summary>
    public CacheSize Size { get; }

    /// <summary>The engine.</summary>
    public LlmEngine Engine { get; }

    /// <summary>What the model runs on, for people.</summary>
    public string Device => _device.Description;

    /// <summary>What the device reaches on the plainest work. Measured now: nothing else should run.</summary>
    public (double ReadBytesPerSecond, double FlopsPerSecond) MeasureDevice()
    {
        var ceiling = _device.Measure();
        return (ceiling.ReadBytesPerSecond, ceiling.FlopsPerSecond);
    }

    /// <summary>What a token at a position reads of the cache: bytes, and tokens, which count by the share of their bytes that is read.</summary>
    public (long Rows, long Bytes) RowsAt(int position)
    {
        var bytes = Layout.Groups.Sum(group => group.TokenBytes * (position + 1L - group.Rows.FirstVisible(position)));
        return ((long)(bytes / Layout.BytesPerToken), (long)bytes);
    }

    /// <summary>Ends the engine, then gives memory and files back.</summary>
    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync().ConfigureAwait(false);
        _decoder.Dispose();
        _swap?.Dispose();
        _cache.Dispose();
        _states.Dispose();
        _draft?.Dispose();
        _device.Dispose();
        Checkpoint.Dispose();
    }

    /// <summary>Half of what the weights leave, but no more than all sequences at full length could fill.</summary>
    long DefaultCacheBytes(EngineOptions options, int longest, double ownShare, long draftBytes) => Math.Min(
        Math.Max(0, _device.FreeBytes - Checkpoint.ByteLength - draftBytes) / 2,
        (long)((Layout.SequenceBytes(longest, options.TokensPerStep) + 2 * Layout.States.PlaceBytes) * options.MaxSequences / ownShare));

    // Systems promise more memory than they have, and end whoever uses it: what cannot fit is refused before it is taken.
    void CheckMemory(long weights, long cache)
    {
        var (wanted, free) = (cache + (_device.KeepsSource ? 0 : weights), _device.FreeBytes);
        if (wanted <= free) return;
        throw new InsufficientMemoryException(
            $"{Checkpoint.Name} asks for {Mebibytes(wanted)} of memory, {Mebibytes(weights)} for weights and {Mebibytes(cache)} for the cache, and {Mebibytes(free)} are free. "
            + (weights < free
                ? $"Give the cache less than {Mebibytes(free - weights)} (--kv-cache-memory-bytes); fewer tokens (--max-model-len, --max-num-seqs) or smaller ones (--kv-cache-dtype int8) need less."
                : "Its weights alone do not fit: take a file with smaller types (--model), such as Q4_0, or a machine with more memory."));

        static string Mebibytes(long bytes) => $"{bytes / 1048576.0:#,0.#} MiB";
    }

    // Link and limits are measured, before anything else runs; a step reads all weights.
    SwapCost CostOf(SwapMemory swap, int stepTokens)
    {
        var ceiling = _device.Measure();
        return new(swap.MeasureLink(), ceiling.FlopsPerSecond, ceiling.ReadBytesPerSecond, 2.0 * WeightsOfToken(), Checkpoint.ByteLength, stepTokens);
    }

    // All but the experts that a token does not choose and, beside a head of its own, the embedding.
    long WeightsOfToken()
    {
        var idle = Plan.Embedding == Plan.Head ? 0L : (long)Plan.VocabularySize * Plan.HiddenSize;
        foreach (var network in Plan.Layers.SelectMany(layer => layer.Blocks).Select(FeedForwardSummary.Of).OfType<FeedForwardSummary>())
            idle += (long)Math.Max(0, network.Experts - network.Chosen) * network.Width * Plan.HiddenSize * (network.Gated ? 3 : 2);
        return Math.Max(1, Checkpoint.Tensors.Values.Sum(tensor => tensor.Count) - idle);
    }

    string Label(EngineOptions options) => $"{Checkpoint.Name}|{_device.Description}|{options.CacheType}|{options.RoundWeights}";
}
