using System.Text.RegularExpressions;
using Serving.Devices;

namespace Serving.Model.Gguf;

/// <summary>Gives the tensors of a GGUF model the names of its Hugging Face checkpoint; a name without a counterpart stays as it is.</summary>
static partial class GgufTensors
{
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
            if (!renamed.TryAdd(target, new(target, tensor.Type, tensor.Shape, tensor.Data)))
                throw new CheckpointException($"{parts.Metadata.Source}: two tensors stand for {target}; one is {name}.");
        }
        return renamed;
    }

    static string Target(string name, Dictionary<string, string> outer, Dictionary<string, string> inner)
    {
        if (Parts().Match(name) is not { Success: true } match)
            return name;
        var (layer, stem, ending) = (match.Groups["layer"].Value, match.Groups["stem"].Value, match.Groups["ending"].Value);
        if (layer.Length == 0)
            return outer.TryGetValue(stem, out var whole) ? $"{whole}.{ending}" : name;
        return inner.TryGetValue(stem, out var part) ? $"model.layers.{layer}.{part}.{ending}" : name;
    }

    [GeneratedRegex(@"^(blk\.(?<layer>\d{1,9})\.)?(?<stem>.+)\.(?<ending>weight|bias)$", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex Parts();
}
