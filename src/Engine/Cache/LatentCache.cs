using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Cache;

/// <summary>The device memory behind a layout, viewed by layer and stream.</summary>
public sealed class LatentCache : IDisposable
{
    readonly IDevice _device;
    readonly nint _memory;
    readonly Dictionary<(int Layer, string Stream), PagedRows> _views = [];
    readonly ImmutableArray<ImmutableArray<PagedRows>> _groups;

    /// <summary>Takes the memory of this many pages in each group; the device's own error tells when there is not enough.</summary>
    public LatentCache(IDevice device, CacheLayout layout, ImmutableArray<int> pages)
    {
        (_device, Layout, Pages) = (device, layout, pages);
        ImmutableArray<int> held = device.RepeatsSteps ? [.. pages.Select(count => count + 1)] : pages;
        _memory = device.Allocate(layout.Bytes(held));
        foreach (var region in layout.Regions(held))
            _views.Add((region.Layer, region.Stream.Name), region.At(_memory, layout.PageTokens));
        _groups = layout.Views(_memory, held);
    }

    /// <summary>Where everything lies.</summary>
    public CacheLayout Layout { get; }

    /// <summary>Pages of each group.</summary>
    public ImmutableArray<int> Pages { get; }

    /// <summary>The page of a group that is nobody's, where the device repeats steps: for rows that fill them up.</summary>
    public int Spare(int group) => Pages[group];

    /// <summary>The pages of a layer's stream; throws KeyNotFoundException for a stream that the layer does not cache.</summary>
    public PagedRows View(int layer, string stream) => _views.TryGetValue((layer, stream), out var view)
        ? view
        : throw new KeyNotFoundException($"Layer {layer} caches no stream '{stream}'.");

    /// <summary>The pages of every layer and stream of a group.</summary>
    public ImmutableArray<PagedRows> Views(int group) => _groups[group];

    /// <summary>Copies pages of a group in every layer and stream: page from[i] onto page to[i].</summary>
    public void CopyPages(int group, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        foreach (var view in _groups[group]) _device.CopyPages(view, from, to);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _device.Free(_memory);
}
