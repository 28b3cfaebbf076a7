using Serving.Model;

namespace Serving.Attention.Families;

/// <summary>Neighbouring layers that read the rows of the first of them, as a number in the configuration says.</summary>
static class LayerGroups
{
    /// <summary>The layer whose rows a layer reads, which is itself where it makes some.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="key">Key of the number of layers in a group.</param>
    /// <param name="makers">Tensors of which a layer that makes rows has one.</param>
    /// <exception cref="CheckpointException">The number is none, or not that of the tensors.</exception>
    public static int Owner(AttentionContext layer, string key, params ReadOnlySpan<string> makers)
    {
        var share = layer.Config.Int(key);
        if (share < 1) throw layer.Config.Wrong(key, $"{share}", "a positive number of layers");
        var (owner, makes) = (layer.Layer - layer.Layer % share, false);
        foreach (var name in makers) makes |= layer.Has(name);
        return makes == (owner == layer.Layer) ? owner : throw layer.Config.Wrong(
            key, $"{share}", $"a number by which layer {layer.Layer} {(makes ? "makes rows of its own, as it has" : "reads another layer's rows, as it has no")} {makers[0]}");
    }
}
