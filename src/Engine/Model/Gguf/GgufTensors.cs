using Serving.Devices;

namespace Serving.Model.Gguf;

/// <summary>
/// Gives the tensors of a GGUF model the names of its Hugging Face checkpoint; a name without a counterpart stays as it is.
/// </summary>
static class GgufTensors
{
    const string Layer = "blk.";

    /// <summary>The same tensors under their new names.</summary>
    public static Dictionary<string, StoredTensor> Rename(GgufArchitecture architecture, GgufParts parts)
    {
        var outer = architecture.Tensors.ToDictionary(name => name.Gguf, name => name.Tensor);
        var inner = architecture.LayerTensors.ToDictionary(name => name.Gguf, name => name.Tensor);
        var renamed = new Dictionary<string, StoredTensor>(parts.Tensors.Count);
        foreach (var (name, tensor) in parts.Tensors)
        {
            if (GgufConfig.Absorbed.Contains(name))
                continue;
            var target = Target(name, outer, inner);
            if (!renamed.TryAdd(target, tensor.Named(target)))
                throw new CheckpointException($"{parts.Metadata.Source}: two tensors stand for {target}; one is {name}.");
        }
        return renamed;
    }

    // blk.LAYER.STEM.ENDING in a layer, STEM.ENDING outside; the ending is weight or bias.
    static string Target(string name, Dictionary<string, string> outer, Dictionary<string, string> inner)
    {
        var dot = name.LastIndexOf('.');
        if (dot < 0 || name[(dot + 1)..] is not ("weight" or "bias"))
            return name;
        if (!name.StartsWith(Layer, StringComparison.Ordinal))
            return outer.TryGetValue(name[..dot], out var whole) ? whole + name[dot..] : name;
        var stem = name.IndexOf('.', Layer.Length) + 1;
        if (stem > 0 && inner.TryGetValue(name[stem..], out var exact))
            return $"model.layers.{name[Layer.Length..(stem - 1)]}.{exact}";
        return stem > 0 && stem <= dot && inner.TryGetValue(name[stem..dot], out var part)
            ? $"model.layers.{name[Layer.Length..(stem - 1)]}.{part}{name[dot..]}"
            : name;
    }
}
