using System.Text.Json;
using Serving.Devices;

namespace Serving.Model;

/// <summary>The weights of a Hugging Face folder: one safetensors file, or the shards that its index names.</summary>
public sealed class SafetensorsShards : IDisposable
{
    const string SingleName = "model.safetensors";
    const string IndexName = "model.safetensors.index.json";

    readonly Dictionary<string, SafetensorsFile> _files = [];
    readonly Dictionary<string, StoredTensor> _tensors = [];
    readonly Dictionary<string, string> _unserved = [];
    readonly Dictionary<string, SafetensorsFile> _places = [];

    SafetensorsShards()
    {
    }

    /// <summary>The paths of all files.</summary>
    public IEnumerable<string> Paths => _files.Values.Select(file => file.Path);

    /// <summary>The tensors of all files whose type is served.</summary>
    public IReadOnlyDictionary<string, StoredTensor> Tensors => _tensors;

    /// <summary>The tensors whose type is not served, with the name of that type.</summary>
    public IReadOnlyDictionary<string, string> Unserved => _unserved;

    /// <summary>The file in which a tensor that is not served by itself stands.</summary>
    public SafetensorsFile FileOf(string unserved) => _places[unserved];

    /// <summary>Opens the weights of a folder.</summary>
    public static SafetensorsShards Open(string folder)
    {
        var shards = new SafetensorsShards();
        try
        {
            shards.Load(folder);
            return shards;
        }
        catch
        {
            shards.Dispose();
            throw;
        }
    }

    /// <summary>Unmaps all files: their tensors must not be touched any more.</summary>
    public void Dispose()
    {
        foreach (var file in _files.Values)
            file.Dispose();
    }

    void Load(string folder)
    {
        if (File.Exists(Path.Combine(folder, SingleName)))
            Add(folder, SingleName);
        else if (Path.Combine(folder, IndexName) is var index && File.Exists(index))
            LoadIndex(folder, index);
        else
            throw new CheckpointException($"{folder} has neither {SingleName} nor {IndexName}; it has {Listing(folder)}. "
                + "Weights in other formats (pytorch_model.bin) must be saved as safetensors first.");
    }

    static string Listing(string folder)
    {
        var names = Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal).Take(20).ToArray();
        return names.Length == 0 ? "no files" : string.Join(", ", names);
    }

    void LoadIndex(string folder, string index)
    {
        if (!JsonFile.ReadObject(index, 64 << 20).TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
            throw new CheckpointException($"{index}: weight_map, an object of tensor names to files, is missing.");
        foreach (var entry in map.EnumerateObject())
        {
            var file = Shard(folder, index, entry);
            if (!file.Tensors.ContainsKey(entry.Name) && !_unserved.ContainsKey(entry.Name))
                throw new CheckpointException($"{index}: tensor {entry.Name} should stand in {Path.GetFileName(file.Path)}, but does not.");
        }
    }

    SafetensorsFile Shard(string folder, string index, JsonProperty entry)
    {
        var name = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : "";
        if (name.Length == 0 || name is "." or ".." || name.AsSpan().ContainsAny("/\\\0"))
            throw new CheckpointException(
                $"{index}: tensor {entry.Name} stands in {JsonFile.Quote(entry.Value)}; the name of a file beside the index is expected.");
        return _files.TryGetValue(name, out var file) ? file : Add(folder, name);
    }

    SafetensorsFile Add(string folder, string name)
    {
        var file = SafetensorsFile.Open(Path.Combine(folder, name));
        _files.Add(name, file);
        foreach (var (tensor, stored) in file.Tensors)
            if (!_tensors.TryAdd(tensor, stored))
                throw new CheckpointException($"{file.Path}: tensor {tensor} stands in another shard too.");
        foreach (var (tensor, type) in file.Unserved)
            if (!_unserved.TryAdd(tensor, type) || !_places.TryAdd(tensor, file) || _tensors.ContainsKey(tensor))
                throw new CheckpointException($"{file.Path}: tensor {tensor} stands in another shard too.");
        return file;
    }
}
