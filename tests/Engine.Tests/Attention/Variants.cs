using Serving.Devices;
using Serving.Model;

namespace Serving.Tests;

/// <summary>Two changes of a fixture whose logits must be the same.</summary>
static class Variants
{
    static readonly int[] Prompt = [.. Enumerable.Range(0, 60).Select(i => 3 + i * 11 % 130)];

    /// <summary>Requires one logit for logit of a fixture changed in two ways.</summary>
    public static void Same(string fixture, Action<TinyModel> left, Action<TinyModel> right) => Golden.Near(Logits(fixture, left), Logits(fixture, right), 1e-3f, fixture);

    /// <summary>Changes the tensors whose names hold a part.</summary>
    public static void Edit(this TinyModel model, string part, Func<TinyTensor, TinyTensor> edit)
    {
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains(part)).ToArray()) model.Tensors[name] = edit(model.Tensors[name]);
    }

    /// <summary>Takes the tensors away whose names hold one of some parts.</summary>
    public static void Remove(this TinyModel model, params string[] parts)
    {
        foreach (var name in model.Tensors.Keys.Where(name => parts.Any(name.Contains)).ToArray()) model.Tensors.Remove(name);
    }

    /// <summary>Gives a part of names another word.</summary>
    public static void Rename(this TinyModel model, string from, string to)
    {
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains(from)).ToArray())
        {
            model.Tensors[name.Replace(from, to)] = model.Tensors[name];
            model.Tensors.Remove(name);
        }
    }

    /// <summary>Takes keys of the configuration away.</summary>
    public static void Forget(this TinyModel model, params string[] keys)
    {
        foreach (var key in keys) model.Config.Remove(key);
    }

    /// <summary>Changes the tensors of every layer, by their names without the layer's.</summary>
    public static void EachLayer(this TinyModel model, Action<Func<string, string>> change)
    {
        for (var layer = 0; layer < model.Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.self_attn.";
            change(name => prefix + name);
        }
    }

    /// <summary>Makes it a grouped attention of Llama.</summary>
    public static void Llama(this TinyModel model, int groups)
    {
        model.Config["model_type"] = "llama";
        model.Config["num_key_value_heads"] = groups;
    }

    /// <summary>Makes it a latent attention of DeepSeek, with dense networks alone.</summary>
    public static void DeepSeek(this TinyModel model)
    {
        model.Config["model_type"] = "deepseek_v3";
        model.Config["num_key_value_heads"] = model.Int("num_attention_heads");
        model.Config["first_k_dense_replace"] = model.Layers;
    }

    /// <summary>Rows of several matrices below one another.</summary>
    public static TinyTensor Below(params TinyTensor[] parts) => new([parts.Sum(part => part.Shape[0]), .. parts[0].Shape[1..]], [.. parts.SelectMany(part => part.Values)]);

    /// <summary>Some rows of a matrix.</summary>
    public static TinyTensor Rows(this TinyTensor tensor, int first, int count)
    {
        var width = tensor.Values.Length / tensor.Shape[0];
        return new([count, .. tensor.Shape[1..]], tensor.Values[(first * width)..((first + count) * width)]);
    }

    /// <summary>A matrix by its values.</summary>
    public static TinyTensor Given(int rows, int columns, Func<int, int, float> at) =>
        new([rows, columns], [.. Enumerable.Range(0, rows * columns).Select(i => at(i / columns, i % columns))]);

    /// <summary>Columns become rows.</summary>
    public static TinyTensor Turned(this TinyTensor tensor) => Given(tensor.Shape[1], tensor.Shape[0], (row, column) => tensor.Values[column * tensor.Shape[1] + row]);

    static float[][] Logits(string fixture, Action<TinyModel> edit)
    {
        using var folder = new TemporaryFolder();
        var model = TinyModel.Of(fixture);
        edit(model);
        foreach (var beside in ((string[])["qk_rank.*", "mla_layer_config.json"]).SelectMany(name => Directory.GetFiles(Fixtures.Path(fixture), name))) File.Copy(beside, Path.Combine(folder.Path, Path.GetFileName(beside)));
        using var harness = new DecoderHarness(Checkpoint.OpenFolder(model.WriteFolder(folder.Path)), new CpuDevice());
        return harness.Prefill(Prompt, Prompt.Length, Prompt.Length);
    }
}
