using System.Collections.Immutable;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>A checkpoint's decoder over a cache, and engines without a thread on it, one after the other.</summary>
sealed class PagedDecoder : IDisposable
{
    readonly Checkpoint _checkpoint;
    readonly CpuDevice _device;
    readonly LatentCache _cache;
    readonly Decoder _decoder;
    readonly ModelPlan _plan;

    readonly EngineOptions _options;

    /// <summary>Opens a checkpoint for engines with these options; the layout of its cache decides how many pages each group of layers has.</summary>
    public PagedDecoder(string folder, EngineOptions options, Func<CacheLayout, ImmutableArray<int>> pages, int threads)
    {
        _options = options;
        (_checkpoint, _device) = (Checkpoint.Open(folder), new(threads));
        var ledger = _checkpoint.OpenLedger();
        _plan = ModelTypes.Plan(new(_checkpoint.Config, ledger));
        _plan = _plan with { Expands = _plan.Attentions.Any(attention => attention.CanExpand) };
        Layout = new([.. _plan.Attentions], options.PageTokens, options.CacheType);
        Pages = pages(Layout);
        _cache = new(_device, Layout, Pages);
        _decoder = new(_plan, new(ledger, _device), _device, _cache, options.TokensPerStep);
        ledger.Close();
    }

    public CacheLayout Layout { get; }

    public ImmutableArray<int> Pages { get; }

    /// <summary>A new engine on an empty cache; the one before must have come to its end.</summary>
    public SteppedEngine Engine() =>
        new(_decoder, Layout, Pages, _options with { PathOf = new NumericPaths(_plan, _options.Execution, "").Of });

    public void Dispose()
    {
        _decoder.Dispose();
        _cache.Dispose();
        _device.Dispose();
        _checkpoint.Dispose();
    }
}
