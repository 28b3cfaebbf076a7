using System.Text.Json.Nodes;
using Serving.Devices;
using Serving.Model;

namespace Serving.Tests;

/// <summary>Schemes at the settings at which they are another scheme: the same logits by two different plans.</summary>
public sealed class DegenerateSchemeTests
{
    static readonly int[] Prompt = [.. Enumerable.Range(0, 60).Select(i => 3 + i * 11 % 130)];

    [Theory, InlineData("mha", 4, 0), InlineData("gqa", 2, 1), InlineData("mqa", 1, 2)]
    public void A_mixture_that_always_takes_one_scheme_is_that_scheme(string scheme, int groups, int chosen) => Same("moas_rope", model =>
        Edit(model, "router.2", tensor => tensor.Shape.Length > 1 ? tensor.Times(0) : new(tensor.Shape, [.. tensor.Values.Select((_, i) => i == chosen ? 100f : 0)])),
        model =>
        {
            Llama(model, groups);
            foreach (var name in model.Tensors.Keys.Where(name => name.Contains($".self_attn.{scheme}.")).ToArray())
                model.Tensors[name.Replace($".{scheme}.", ".")] = model.Tensors[name];
            Remove(model, "router.", ".mha.", ".gqa.", ".mqa.");
            foreach (var key in (string[])["gqa_kv_heads", "position_embedding_type", "router_bias"]) model.Config.Remove(key);
        });

    [Fact]
    public void Keys_and_values_without_memory_are_the_hosts() => Same("mka", model =>
        Edit(model, "router.2", tensor => tensor.Shape.Length > 1 ? tensor.Times(0) : new(tensor.Shape, [100, 0])),
        model =>
        {
            Llama(model, model.Int("num_key_value_heads"));
            Remove(model, "router.");
            foreach (var key in (string[])["ema_beta", "use_l3", "mka_l2_decode"]) model.Config.Remove(key);
        });

    [Fact]
    public void An_average_without_memory_is_the_input_whatever_the_router_says() => Same("mka_full",
        model => model.Config["ema_beta"] = 0,
        model => Edit(model, "router.2", tensor => tensor.Shape.Length > 1 ? tensor.Times(0) : new(tensor.Shape, [100, 0])));

    [Theory, InlineData("lrkv"), InlineData("lrkv_rope_shared")]
    public void Residuals_of_zero_leave_one_head_for_all(string fixture) => Same(fixture, model => Edit(model, "_up", tensor => tensor.Times(0)), model =>
    {
        Llama(model, 1);
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("_shared_proj")).ToArray())
            model.Tensors[name.Replace("_shared_proj", "_proj")] = model.Tensors[name];
        Remove(model, "_shared_proj", "_up", "_down.");
        foreach (var key in (string[])["kv_residual_rank", "residual_rope"]) model.Config.Remove(key);
    });

    [Fact]
    public void A_key_that_is_the_value_too_is_a_value_matrix_that_is_the_key_matrix() => Same("tucker_shared", _ => { }, model =>
    {
        model.Config["share_kv"] = false;
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("k_proj")).ToArray()) model.Tensors[name.Replace("k_proj", "v_proj")] = model.Tensors[name];
    });

    [Fact]
    public void Values_that_are_nothing_but_the_key_are_a_value_matrix_that_is_the_key_matrix() => Same("mfa_kr", model => Edit(model, "alpha", tensor => tensor.Times(0)), model =>
    {
        Llama(model, model.Int("num_attention_heads"));
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("k_proj")).ToArray()) model.Tensors[name.Replace("k_proj", "v_proj")] = model.Tensors[name];
        Remove(model, "alpha", "v_mix");
        foreach (var key in (string[])["kr_value_source", "num_key_value_heads"]) model.Config.Remove(key);
    });

    [Fact]
    public void Groups_of_one_size_in_their_order_are_grouped_attention() => Same("qcqa", model => Map(model, 3), model =>
    {
        Map(model, 3);
        Llama(model, model.Int("num_attention_heads") / 3);
        model.Config.Remove("kv_head_map");
    });

    /// <summary>Groups of so many neighbouring heads, which read the first key heads' matrices, in every layer.</summary>
    static void Map(TinyModel model, int size)
    {
        var (heads, width) = (model.Int("num_attention_heads"), model.Int("head_dim"));
        model.Config["kv_head_map"] = new JsonArray([.. Enumerable.Range(0, model.Layers).Select(_ =>
            new JsonArray([.. Enumerable.Range(0, heads).Select(head => JsonValue.Create(head / size))]))]);
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("k_proj") || name.Contains("v_proj")).ToArray())
        {
            var tensor = model.Tensors[name];
            var rows = heads / size * width;
            model.Tensors[name] = new([rows, tensor.Shape[1]], [.. Enumerable.Range(0, rows * tensor.Shape[1]).Select(i => tensor.Values[i % tensor.Values.Length])]);
        }
    }

    static void Llama(TinyModel model, int groups)
    {
        model.Config["model_type"] = "llama";
        model.Config["num_key_value_heads"] = groups;
    }

    static void Edit(TinyModel model, string part, Func<TinyTensor, TinyTensor> edit)
    {
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains(part)).ToArray()) model.Tensors[name] = edit(model.Tensors[name]);
    }

    static void Remove(TinyModel model, params string[] parts)
    {
        foreach (var name in model.Tensors.Keys.Where(name => parts.Any(name.Contains)).ToArray()) model.Tensors.Remove(name);
    }

    static void Same(string fixture, Action<TinyModel> left, Action<TinyModel> right) => Golden.Near(Logits(fixture, left), Logits(fixture, right), 1e-3f, fixture);

    static float[][] Logits(string fixture, Action<TinyModel> edit)
    {
        using var folder = new TemporaryFolder();
        var model = TinyModel.Of($"schemes/{fixture}");
        edit(model);
        using var harness = new DecoderHarness(Checkpoint.OpenFolder(model.WriteFolder(folder.Path)), new CpuDevice());
        return harness.Prefill(Prompt, Prompt.Length, Prompt.Length);
    }
}
