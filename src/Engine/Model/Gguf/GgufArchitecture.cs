using System.Collections.Immutable;

namespace Serving.Model.Gguf;

/// <summary>
/// How the keys and tensors of a GGUF architecture are called in the Hugging Face checkpoint of the same model. Data only.
/// </summary>
public sealed record GgufArchitecture(string Name, string ModelType)
{
    /// <summary>
    /// Metadata keys, without the architecture's prefix, and the configuration keys they stand for (rope_scaling.x nests).
    /// </summary>
    public ImmutableArray<(string Gguf, string Config)> Keys { get; init; } = Names.DecoderKeys;

    /// <summary>Tensors outside the layers, without the ending .weight or .bias.</summary>
    public ImmutableArray<(string Gguf, string Tensor)> Tensors { get; init; } = Names.DecoderTensors;

    /// <summary>Tensors of layer N: blk.N.(left) is model.layers.N.(right), both without the ending unless both have one.</summary>
    public ImmutableArray<(string Gguf, string Tensor)> LayerTensors { get; init; } = Names.GatedLayerTensors;

    /// <summary>
    /// Configuration keys that the architecture implies where a file does not say them, with their values as JSON; those of rope_scaling
    /// where a file scales.
    /// </summary>
    public ImmutableArray<(string Key, string Json)> Facts { get; init; } = [];

    /// <summary>Configuration keys whose value is that of another key.</summary>
    public ImmutableArray<(string Key, string Of)> Copies { get; init; } = [];

    /// <summary>Configuration keys whose value, as JSON, is another one in the published model of a number of layers.</summary>
    public ImmutableArray<(string Layers, string Key, string Json)> Exceptions { get; init; } = [];

    /// <summary>Configuration keys that are true if the first layer has a tensor (a bias).</summary>
    public ImmutableArray<(string Key, string LayerTensor)> Presences { get; init; } = [];

    /// <summary>Metadata key, without the architecture's prefix, whose value decides between model types; null for none.</summary>
    public string? VariantKey { get; init; }

    /// <summary>Values of <see cref="VariantKey"/> as JSON, and the model types they stand for; other values are refused.</summary>
    public ImmutableArray<(string Json, string ModelType)> Variants { get; init; } = [];

    /// <summary>The architectures that are served; a new one is its file and its line here.</summary>
    public static ImmutableArray<GgufArchitecture> All { get; } = 
    [
        Deepseek2.Architecture, Gemma.Two, Gemma.Three, Glm4Moe.Architecture, GptOss.Architecture, Llama.Architecture, MiniCpm3.Architecture, Phi3.Architecture, Qwen.Two, Qwen.Three,
        Qwen.ThreeWithExperts, Step3.Architecture,
    ];

    /// <summary>The architecture of a name; an unknown one is an error that lists those served.</summary>
    public static GgufArchitecture Find(string name, string source) => All.FirstOrDefault(architecture => architecture.Name == name)
        ?? throw new CheckpointException(
            $"{source}: general.architecture is {name}; served are {string.Join(", ", All.Select(architecture => architecture.Name))}.");
}
