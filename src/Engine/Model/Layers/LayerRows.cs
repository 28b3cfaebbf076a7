using Serving.Cache;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>The cached rows of all layers as a step sees them: their pages, and room for the rows that its tokens leave open.</summary>
/// <param name="device">Where they lie.</param>
/// <param name="cache">The pages.</param>
/// <param name="maxRows">Most rows of a step.</param>
public sealed class LayerRows(IDevice device, LatentCache cache, int maxRows) : IDisposable
{
    readonly Dictionary<(int Layer, string Stream), nint> _open = [];

    /// <summary>A layer's stream, the same for those who borrow it.</summary>
    public PagedRows Of(int layer, string stream)
    {
        var rows = cache.View(layer, stream);
        if (!rows.IsStrided) return rows;
        if (!_open.TryGetValue((layer, stream), out var open))
            _open.Add((layer, stream), open = device.Allocate((long)maxRows * rows.Groups * rows.VectorBytes));
        return rows with { Open = open };
    }

    /// <summary>Which page tables a layer's rows are addressed by.</summary>
    public int PageGroup(int layer)
    {
        var groups = cache.Layout.Groups;
        for (var group = 0; group < groups.Length; group++)
            if (groups[group].Layers.Contains(layer)) return group;
        throw new InvalidOperationException($"Layer {layer} has no pages of its own.");
    }

    /// <summary>Gives the room back.</summary>
    public void Dispose()
    {
        foreach (var open in _open.Values) device.Free(open);
        _open.Clear();
    }
}
