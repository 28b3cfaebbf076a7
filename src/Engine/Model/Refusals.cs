using System.Text.RegularExpressions;
using Serving.Devices;

namespace Serving.Model;

/// <summary>Why a path or a checkpoint cannot be served, in words that say what to do instead.</summary>
static partial class Refusals
{
    /// <summary>A path where nothing is; a name such as org/model is taken for one of the Hugging Face hub.</summary>
    public static CheckpointException Missing(string path)
    {
        var looked = $"{path} does not exist. A GGUF file, a folder with one, or a folder with config.json and safetensors is expected.";
        return new(HubName().IsMatch(path)
            ? $"{looked} Models are not downloaded; to fetch this one from the Hugging Face hub: "
                + $"huggingface-cli download {path} --local-dir {path.Split('/')[1]}, then --model {path.Split('/')[1]}"
            : looked);
    }

    /// <summary>Throws if the weights are packed in a way that is not served.</summary>
    public static void Quantization(ModelConfig config)
    {
        foreach (var part in (ModelConfig[])[config, config.TextPart])
            foreach (var key in (string[])["quantization_config", "compression_config"])
                if (part.ObjectOrNull(key) is { } packed)
                    throw new CheckpointException(
                        $"{config.Source}: {key} asks for {packed.TextOrNull("quant_method") ?? "an unnamed method"}, which is not served. "
                        + $"Served are safetensors of {SafetensorsType.ServedNames}, and GGUF files of {StoredTypes.All}.");
    }

    [GeneratedRegex(@"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$", RegexOptions.CultureInvariant)]
    private static partial Regex HubName();
}
