using System.Collections.Immutable;
using System.Diagnostics;
using Serving.Devices;

namespace Serving.Cache;

/// <summary>The host memory behind a swap space: laid out as the cache is, so that a page there is a page here in every layer and stream.</summary>
public sealed class SwapMemory : IDisposable
{
    // Enough that starting the copies is not what is measured.
    const long MeasuredBytes = 32 << 20;

    readonly IDevice _device;
    readonly LatentCache _cache;
    readonly StateMemory _states;
    readonly ImmutableArray<ImmutableArray<PagedRows>> _groups;
    readonly PagedRows _places;
    readonly nint _pages, _placeMemory;

    /// <summary>Takes the memory; the device's own error tells when there is not enough.</summary>
    /// <param name="device">The device of the cache.</param>
    /// <param name="cache">Where the pages are otherwise.</param>
    /// <param name="states">Where the states of sequences are otherwise.</param>
    /// <param name="size">How much of it is kept in host memory.</param>
    public SwapMemory(IDevice device, LatentCache cache, StateMemory states, CacheSize size)
    {
        (_device, _cache, _states, Size) = (device, cache, states, size);
        _pages = device.AllocateHost(cache.Layout.Bytes(size.Pages));
        _groups = cache.Layout.Views(_pages, size.Pages);
        if (cache.Layout.States.PlaceBytes == 0) return;
        _placeMemory = device.AllocateHost(cache.Layout.States.Bytes(size));
        _places = states.Places with { Address = _placeMemory };
    }

    /// <summary>How many pages and places there are.</summary>
    public CacheSize Size { get; }

    /// <summary>Copies pages of a group in every layer and stream: page from[i] of one side onto page to[i] of the other.</summary>
    public void Pages(Swap way, int group, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        var views = _cache.Views(group);
        for (var i = 0; i < views.Length; i++) _device.SwapPages(way, views[i], _groups[group][i], from, to);
    }

    /// <summary>Copies the states of sequences: place from[i] of one side onto place to[i] of the other.</summary>
    public void States(Swap way, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        if (_placeMemory != 0) _device.SwapPages(way, _states.Places, _places, from, to);
    }

    /// <summary>
    /// Bytes a second that go to the host and back, over pages of a cache that holds nothing yet. The second round is timed, since the first
    /// finds memory untouched.
    /// </summary>
    public double MeasureLink()
    {
        var group = _cache.Layout.Groups[0];
        var pages = Enumerable.Range(0, (int)Math.Clamp(MeasuredBytes / group.PageBytes, 1, Math.Min(_cache.Pages[0], Size.Pages[0]))).ToArray();
        var rounds = (int)Math.Clamp(MeasuredBytes / (group.PageBytes * pages.Length), 1, 64);
        var waited = _device.Allocate(sizeof(float));
        var seconds = 0.0;
        for (var time = 0; time < 2; time++)
        {
            var started = Stopwatch.GetTimestamp();
            for (var round = 0; round < rounds; round++)
            {
                Pages(Swap.Out, 0, pages, pages);
                Pages(Swap.In, 0, pages, pages);
            }

            _device.Read(Tensor.Matrix(waited, 1, 1), new float[1]);
            seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        _device.Free(waited);
        return 2.0 * rounds * pages.Length * group.PageBytes / Math.Max(seconds, 1e-9);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        _device.FreeHost(_pages);
        if (_placeMemory != 0) _device.FreeHost(_placeMemory);
    }
}
