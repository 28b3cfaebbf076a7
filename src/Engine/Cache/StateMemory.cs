using Serving.Devices;

namespace Serving.Cache;

/// <summary>The device memory of the states of sequences: places of running ones, then snapshots.</summary>
public sealed class StateMemory : IDisposable
{
    readonly IDevice _device;
    readonly nint _memory;
    readonly StateLayout _layout;

    /// <summary>Takes the memory of a cache's places; the device's own error tells when there is not enough.</summary>
    public StateMemory(IDevice device, StateLayout layout, CacheSize size)
    {
        (_device, _layout) = (device, layout);
        if (layout.Bytes(size) == 0) return;
        if (device.RepeatsSteps) Spare = size.Places + size.Snapshots;
        _memory = device.Allocate(layout.Bytes(size) + (Spare is null ? 0 : layout.PlaceBytes));
    }

    /// <summary>The place that is nobody's, for rows that fill a step up; null without states, or where the device does not repeat steps.</summary>
    public int? Spare { get; }

    /// <summary>A layer's state; throws KeyNotFoundException for one that the layer does not keep.</summary>
    public StateRows View(int layer, string state)
    {
        foreach (var region in _layout.Regions)
            if (region.Layer == layer && region.State.Name == state)
                return new(_memory + (nint)region.Offset, _layout.PlaceBytes, region.State.Values);
        throw new KeyNotFoundException($"Layer {layer} keeps no state '{state}'.");
    }

    /// <summary>All places, each as one page.</summary>
    public PagedRows Places => new(_memory, _layout.PlaceBytes, 1, 1, (int)(_layout.PlaceBytes / sizeof(float)), CacheType.Float32);

    /// <summary>Copies places, one after the other: from[i] onto to[i].</summary>
    public void Copy(ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        if (_memory == 0) return;
        _device.CopyPages(Places, from, to);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        if (_memory != 0) _device.Free(_memory);
    }
}
