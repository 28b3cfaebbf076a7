using System.Text.RegularExpressions;

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

    [GeneratedRegex(@"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$", RegexOptions.CultureInvariant)]
    private static partial Regex HubName();
}
