using Serving.Devices;
using Serving.Model.Gguf;

namespace Serving.Model;

/// <summary>
/// An opened model: configuration, weights in mapped memory and what the tokenizer is made from, in one shape whether it came as GGUF or
/// as a Hugging Face folder. Disposing it unmaps the weights.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    static readonly Dictionary<string, string> NoUnserved = [];

    readonly IDisposable _files;

    Checkpoint(IDisposable files) => _files = files;

    /// <summary>The file or folder it was opened from.</summary>
    public required string Path { get; init; }

    /// <summary>A name for people: general.name of a GGUF file, else the name of the file or folder.</summary>
    public required string Name { get; init; }

    /// <summary>The configuration under Hugging Face's key names.</summary>
    public required ModelConfig Config { get; init; }

    /// <summary>The weights under Hugging Face's names.</summary>
    public required IReadOnlyDictionary<string, StoredTensor> Tensors { get; init; }

    /// <summary>Tensors of a type that cannot be served, with the name of the type: an error only when somebody takes one.</summary>
    public IReadOnlyDictionary<string, string> Unserved { get; init; } = NoUnserved;

    /// <summary>What tokenizer, chat template and stop ids are made from.</summary>
    public required TextSources Text { get; init; }

    /// <summary>The metadata of a GGUF model; null for a Hugging Face folder.</summary>
    public GgufMetadata? Metadata { get; init; }

    /// <summary>Bytes of all weights as stored.</summary>
    public long ByteLength => Tensors.Values.Sum(tensor => tensor.ByteLength);

    /// <summary>Opens a GGUF file, any part of a split one, or a folder with either a GGUF model or config.json and safetensors.</summary>
    public static Checkpoint Open(string path)
    {
        try
        {
            return OpenPath(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{path} cannot be read: {error.Message}", error);
        }
    }

    /// <summary>A new book of the weights, for one build of the model.</summary>
    public TensorLedger OpenLedger() => new(this);

    /// <summary>A further configuration file of a Hugging Face folder; null if there is none of that name.</summary>
    public ModelConfig? Companion(string fileName)
    {
        var path = System.IO.Path.Combine(Path, fileName);
        return Metadata is null && File.Exists(path) ? new(JsonFile.ReadObject(path), path) : null;
    }

    /// <summary>The values of a tensor of bytes in a safetensors file of a Hugging Face folder.</summary>
    public byte[] CompanionBytes(string fileName, string tensor)
    {
        var path = System.IO.Path.Combine(Path, fileName);
        if (System.IO.Path.GetFileName(fileName) != fileName || !File.Exists(path))
            throw new CheckpointException($"{Path}: the configuration names the file \"{fileName}\", which is not in this folder.");
        using var file = SafetensorsFile.Open(path);
        return file.UInt8(tensor);
    }

    /// <summary>Unmaps the weights: no tensor of this checkpoint may be touched any more.</summary>
    public void Dispose() => _files.Dispose();

    /// <summary>Opens a Hugging Face folder whose configuration goes by another name.</summary>
    internal static Checkpoint OpenFolder(string path, string configName = "config.json")
    {
        var config = ModelConfigFile(System.IO.Path.Combine(path, configName));
        var format = PackedWeights.FormatOf(config);
        var shards = SafetensorsShards.Open(path);
        try
        {
            var (tensors, unserved) = PackedWeights.Join(shards, format, path);
            return new(shards)
            {
                Path = path,
                Name = System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path))),
                Config = config,
                Tensors = tensors,
                Unserved = unserved,
                Text = TextSources.FromFolder(path, config),
            };
        }
        catch
        {
            shards.Dispose();
            throw;
        }
    }

    static Checkpoint OpenPath(string path)
    {
        if (File.Exists(path))
            return OpenFile(path);
        if (!Directory.Exists(path))
            throw Refusals.Missing(path);
        if (File.Exists(System.IO.Path.Combine(path, "config.json")))
            return OpenFolder(path);
        return OpenGguf(GgufParts.FindIn(path)
            ?? throw new CheckpointException($"{path} has neither config.json (a Hugging Face model) nor a .gguf file."));
    }

    static ModelConfig ModelConfigFile(string path) => new(JsonFile.ReadObject(path), path);

    static Checkpoint OpenFile(string path) => System.IO.Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".safetensors" => throw new CheckpointException($"{path} holds weights only; name its folder, which has config.json beside it."),
        ".json" => throw new CheckpointException($"{path} is one file of a model; name its folder."),
        _ => OpenGguf(path),
    };

    static Checkpoint OpenGguf(string path)
    {
        var parts = GgufParts.Open(path);
        try
        {
            var name = parts.Metadata.Text("general.architecture")
                ?? throw new CheckpointException($"{path}: metadata key general.architecture is missing.");
            var architecture = GgufArchitecture.Find(name, path);
            return new(parts)
            {
                Path = path,
                Name = parts.Metadata.Text("general.name") ?? System.IO.Path.GetFileNameWithoutExtension(path),
                Config = GgufConfig.Build(architecture, parts),
                Tensors = GgufTensors.Rename(architecture, parts),
                Text = TextSources.FromGguf(parts.Metadata),
                Metadata = parts.Metadata,
            };
        }
        catch
        {
            parts.Dispose();
            throw;
        }
    }
}
