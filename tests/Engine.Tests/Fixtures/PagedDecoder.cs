using System.Collections.Immutable;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Model.Types;
using Serving.Scheduling.Drafting;

namespace Serving.Tests;

/// <summary>A checkpoint's decoder over a cache, and engines without a thread on it, one after the other.</summary>
sealed class PagedDecoder : IDisposable
{
    readonly Checkpoint _checkpoint;
    readonly IDevice _device;
    readonly LatentCache _cache;
    readonly StateMemory _states;
    readonly SwapMemory? _swap;
    readonly Decoder _decoder;
    readonly ModelPlan _plan;

    readonly EngineOptions _options;

    /// <summary>Opens a checkpoint for engines with these options; the layout of its cache decides its size.</summary>
    public PagedDecoder(string folder, EngineOptions options, Func<CacheLayout, CacheSize> size, int threads)
        : this(folder, options, size, new CpuDevice(threads))
    {
    }

    /// <summary>The same on a device, which goes with it.</summary>
    public PagedDecoder(string folder, EngineOptions options, Func<CacheLayout, CacheSize> size, IDevice device)
    {
        _options = options;
        (_checkpoint, _device) = (Checkpoint.Open(folder), device);
        var ledger = _checkpoint.OpenLedger();
        _plan = ModelTypes.Plan(new(_checkpoint.Config, ledger));
        _plan = _plan with { Expands = _plan.Attentions.Any(attention => attention.CanExpand) };
        Layout = new([.. _plan.Attentions], CacheLayout.PageTokensFor(_plan.Attentions, options.PageTokens ?? 64), options.CacheType);
        Size = size(Layout);
        (_cache, _states) = (new(_device, Layout, Size.Pages), new(_device, Layout.States, Size));
        _swap = Size.Swap is { } swap ? new(_device, _cache, _states, swap) : null;
        _decoder = new(_plan, new(ledger, _device), _device, _cache, _states, options.TokensPerStep) { SwapMemory = _swap };
        ledger.Close();
    }

    public CacheLayout Layout { get; }

    public CacheSize Size { get; }

    /// <summary>A new engine on an empty cache; the one before must have come to its end.</summary>
    public SteppedEngine Engine(IDrafter? drafter = null) =>
        new(_decoder, Layout, Size, _options with { PathOf = new NumericPaths(_plan, _options.Execution, "").Of }, drafter: drafter);

    public void Dispose()
    {
        _decoder.Dispose();
        _swap?.Dispose();
        _cache.Dispose();
        _states.Dispose();
        _device.Dispose();
        _checkpoint.Dispose();
    }
}
