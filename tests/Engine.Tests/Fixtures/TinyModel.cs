using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>Values in a shape, outermost size first.</summary>
sealed record TinyTensor(int[] Shape, float[] Values)
{
    public TinyTensor Times(double factor) => this with { Values = [.. Values.Select(value => (float)(value * factor))] };

    public TinyTensor Plus(float term) => this with { Values = [.. Values.Select(value => value + term)] };
}

/// <summary>A small model under Hugging Face's names, which a test changes and writes in either format.</summary>
sealed class TinyModel
{
    TinyModel(JsonObject config, Dictionary<string, TinyTensor> tensors) => (Config, Tensors) = (config, tensors);

    public JsonObject Config { get; }

    public Dictionary<string, TinyTensor> Tensors { get; }

    public int Layers => Int("num_hidden_layers");

    /// <summary>The model of a fixture.</summary>
    public static TinyModel Of(string fixture)
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path(fixture));
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Path(fixture), "config.json")))!.AsObject();
        return new(config, checkpoint.Tensors.Values.ToDictionary(t => t.Name, t => new TinyTensor([.. t.Shape], RowWidening.Widen(t))));
    }

    /// <summary>Random weights: norms around 1, matrices that keep the size of what they multiply, biases that show.</summary>
    public static TinyModel Random(string config, IEnumerable<(string Name, int[] Shape)> shapes, int seed)
    {
        var random = new Random(seed);
        return new(JsonNode.Parse(config)!.AsObject(), shapes.ToDictionary(shape => shape.Name, shape => Draw(random, shape.Name, shape.Shape)));
    }

    /// <summary>A whole number of the configuration.</summary>
    public int Int(string key) => Config[key]!.GetValue<int>();

    /// <summary>Writes config.json and model.safetensors (F32) into a folder, and returns the folder.</summary>
    public string WriteFolder(string folder)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), Config.ToJsonString());
        File.WriteAllBytes(Path.Combine(folder, "model.safetensors"), Safetensors(
            Tensors.Select(tensor => (tensor.Key, "F32", tensor.Value.Shape, MemoryMarshal.AsBytes(tensor.Value.Values.AsSpan()).ToArray()))));
        return folder;
    }

    /// <summary>The bytes of a safetensors file.</summary>
    public static byte[] Safetensors(IEnumerable<(string Name, string Type, int[] Shape, byte[] Bytes)> tensors)
    {
        var (header, data) = (new JsonObject(), new List<byte>());
        foreach (var (name, type, shape, bytes) in tensors)
        {
            header[name] = new JsonObject
            {
                ["dtype"] = type,
                ["shape"] = new JsonArray([.. shape.Select(size => JsonValue.Create(size))]),
                ["data_offsets"] = new JsonArray(data.Count, data.Count + bytes.Length),
            };
            data.AddRange(bytes);
        }
        var text = Encoding.UTF8.GetBytes(header.ToJsonString());
        return [.. BitConverter.GetBytes((long)text.Length), .. text, .. data];
    }

    static TinyTensor Draw(Random random, string name, int[] shape)
    {
        var scale = name.Contains("norm") ? 0.3 : shape.Length > 1 ? 1.5 / Math.Sqrt(shape[^1]) : 0.2;
        var values = new float[shape.Aggregate(1, (product, size) => product * size)];
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)((name.Contains("norm") ? 1 : 0) + scale * Math.Sqrt(3) * (2 * random.NextDouble() - 1));
        return new(shape, values);
    }
}
