using System.Text.Json.Nodes;
using static Serving.Tests.Variants;

namespace Serving.Tests;

/// <summary>Schemes at the settings at which they are another scheme: the same logits by two different plans.</summary>
public sealed class DegenerateSchemeTests
{
    [Theory, InlineData("mha", 4, 0), InlineData("gqa", 2, 1), InlineData("mqa", 1, 2)]
    public void A_mixture_that_always_takes_one_scheme_is_that_scheme(string scheme, int groups, int chosen) => Same("schemes/moas_rope", model =>
        model.Edit("router.2", tensor => tensor.Shape.Length > 1 ? tensor.Times(0) : new(tensor.Shape, [.. tensor.Values.Select((_, i) => i == chosen ? 100f : 0)])),
        model =>
        {
            model.Llama(groups);
            foreach (var name in model.Tensors.Keys.Where(name => name.Contains($".self_attn.{scheme}.")).ToArray())
                model.Tensors[name.Replace($".{scheme}.", ".")] = model.Tensors[name];
            model.Remove("router.", ".mha.", ".gqa.", ".mqa.");
            foreach (var key in (string[])["gqa_kv_heads", "position_embedding_type", "router_bias"]) model.Config.Remove(key);
        });

    [Fact]
    public void Keys_and_values_without_memory_are_the_hosts() => Same("schemes/mka", model =>
        model.Edit("router.2", tensor => tensor.Shape.Length > 1 ? tensor.Times(0) : new(tensor.Shape, [100, 0])),
        model =>
        {
            model.Llama(model.Int("num_key_value_heads"));
            model.Remove("router.");
            foreach (var key in (string[])["ema_beta", "use_l3", "mka_l2_decode"]) model.Config.Remove(key);
        });

    [Fact]
    public void An_average_without_memory_is_the_input_whatever_the_router_says() => Same("schemes/mka_full",
        model => model.Config["ema_beta"] = 0,
        model => model.Edit("router.2", tensor => tensor.Shape.Length > 1 ? tensor.Times(0) : new(tensor.Shape, [100, 0])));

    [Theory, InlineData("lrkv"), InlineData("lrkv_rope_shared")]
    public void Residuals_of_zero_leave_one_head_for_all(string fixture) => Same($"schemes/{fixture}", model => model.Edit("_up", tensor => tensor.Times(0)), model =>
    {
        model.Llama(1);
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("_shared_proj")).ToArray())
            model.Tensors[name.Replace("_shared_proj", "_proj")] = model.Tensors[name];
        model.Remove("_shared_proj", "_up", "_down.");
        foreach (var key in (string[])["kv_residual_rank", "residual_rope"]) model.Config.Remove(key);
    });

    [Fact]
    public void A_key_that_is_the_value_too_is_a_value_matrix_that_is_the_key_matrix() => Same("schemes/tucker_shared", _ => { }, model =>
    {
        model.Config["share_kv"] = false;
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("k_proj")).ToArray()) model.Tensors[name.Replace("k_proj", "v_proj")] = model.Tensors[name];
    });

    [Fact]
    public void Values_that_are_nothing_but_the_key_are_a_value_matrix_that_is_the_key_matrix() => Same("schemes/mfa_kr", model => model.Edit("alpha", tensor => tensor.Times(0)), model =>
    {
        model.Llama(model.Int("num_attention_heads"));
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("k_proj")).ToArray()) model.Tensors[name.Replace("k_proj", "v_proj")] = model.Tensors[name];
        model.Remove("alpha", "v_mix");
        foreach (var key in (string[])["kr_value_source", "num_key_value_heads"]) model.Config.Remove(key);
    });

    [Theory, InlineData(1), InlineData(3)]
    public void Groups_of_one_size_in_their_order_are_grouped_attention(int size) => Same("schemes/qcqa", model => Map(model, size), model =>
    {
        Map(model, size);
        model.Llama(model.Int("num_attention_heads") / size);
        model.Config.Remove("kv_head_map");
    });

    [Fact]
    public void As_many_query_heads_as_heads_are_grouped_attention() => Same("hf/llama_gqa_llama3", model =>
    {
        (model.Config["model_type"], model.Config["att_type"]) = ("sqa", "sqa");
        model.Config["att_num_query_groups"] = model.Int("num_attention_heads");
        model.Forget("num_attention_heads");
        model.Rename("o_proj", "out_proj");
    }, _ => { });

    [Fact]
    public void A_layer_that_shares_with_itself_shares_nothing() => Same("schemes/cla_hunyuan", model =>
    {
        OwnEverywhere(model);
        model.Config["cla_share_factor"] = 1;
    },
    model =>
    {
        OwnEverywhere(model);
        model.Config["model_type"] = "hunyuan_v1_dense";
        model.Forget("use_cla", "cla_share_factor", "use_qk_norm");
    });

    // Each second layer gets what the one before it makes.
    static void OwnEverywhere(TinyModel model)
    {
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains(".k_proj") || name.Contains(".v_proj")).ToArray())
        {
            var layer = int.Parse(name.Split('.')[2]);
            model.Tensors.TryAdd(name.Replace($"layers.{layer}.", $"layers.{layer + 1}."), model.Tensors[name]);
        }
    }

    [Theory, InlineData(true), InlineData(false)]
    public void A_list_in_which_every_layer_shares_with_itself_is_grouped_attention(bool listed) => Same("schemes/cla", model =>
    {
        OwnRows(model);
        if (listed) model.Config["sharing_pattern"] = new JsonArray(0, 1, 2, 3);
        else model.Forget("sharing_pattern");
    },
    model =>
    {
        OwnRows(model);
        var (heads, groups) = (4, 2);
        var width = model.Int("hidden_size") / heads;
        foreach (var (key, value) in new[] { ("num_hidden_layers", 4), ("num_attention_heads", heads), ("intermediate_size", 72) }) model.Config[key] = value;
        (model.Config["rms_norm_eps"], model.Config["hidden_act"]) = (model.Config["layer_norm_epsilon"]!.DeepClone(), "silu");
        model.Forget("num_layers", "sharing_pattern", "sequence_mixer_blocks", "mlp_blocks", "layer_norm_epsilon", "normalization_function", "position_embedding_type");
        model.Llama(groups);
        foreach (var (from, to) in new[]
        {
            ("transformer.wte", "model.embed_tokens"), ("transformer.ln_f", "model.norm"), ("transformer.h.", "model.layers."), ("ln_1", "input_layernorm"),
            ("ln_2", "post_attention_layernorm"), ("sequence_mixer.q_attn", "self_attn.q_proj"), ("sequence_mixer.c_proj", "self_attn.o_proj"), ("mlp_block.c_proj", "mlp.down_proj"),
        })
            model.Rename(from, to);
        // Rows alternate: gate and up; a key of a head and its value.
        Split("mlp_block.c_fc", 1, "mlp.gate_proj", "mlp.up_proj");
        Split("kv_proj.kv_attn", width, "self_attn.k_proj", "self_attn.v_proj");
        model.Remove("kv_proj.ln");

        void Split(string fused, int run, params string[] parts)
        {
            foreach (var name in model.Tensors.Keys.Where(name => name.Contains(fused)).ToArray())
            {
                model.Tensors.Remove(name, out var tensor);
                for (var part = 0; part < 2; part++)
                    model.Tensors[name.Replace(fused, parts[part])] = Below([.. Enumerable.Range(0, tensor!.Shape[0] / run / 2).Select(pair => tensor.Rows((2 * pair + part) * run, run))]);
            }
        }
    });

    // Each layer has rows of its own, made of what its queries are made of.
    static void OwnRows(TinyModel model)
    {
        for (var layer = 0; layer < 4; layer++)
        {
            model.Tensors[$"transformer.h.{layer}.kv_proj.kv_attn.weight"] = model.Tensors[$"transformer.h.{layer / 2 * 2}.kv_proj.kv_attn.weight"].Times(1 + layer * 0.1);
            model.Tensors[$"transformer.h.{layer}.kv_proj.ln.weight"] = model.Tensors[$"transformer.h.{layer}.ln_1.weight"];
        }
    }

    [Theory, InlineData("kha_linear"), InlineData("kha_mlp")]
    public void Heads_that_are_mixed_by_the_identity_are_not_mixed(string fixture) => Same($"schemes/{fixture}", model =>
    {
        model.Edit("kha.", tensor => Given(tensor.Shape[0], tensor.Shape[1], (row, column) => row == column ? 1 : 0));
        model.Edit("v_gate", tensor => tensor.Times(0));
    },
        model =>
        {
            model.Config["model_type"] = "qwen3";
            model.Remove("kha.");
            model.Forget("kha_query_key", "kha_value", "use_qk_norm");
        });

    [Fact]
    public void Keys_that_are_merged_by_the_identity_are_not_merged() => Same("schemes/kv_head_svd", model =>
    {
        var (heads, width) = (model.Int("source_key_value_heads"), model.Int("head_dim"));
        model.Config["num_key_value_heads"] = heads;
        model.Edit("k_merge", _ => new([heads, width, width], [.. Enumerable.Range(0, heads * width * width).Select(i => i / width % width == i % width ? 1f : 0)]));
        Fill(model, heads * width);
    },
    model =>
    {
        var heads = model.Int("source_key_value_heads");
        Fill(model, heads * model.Int("head_dim"));
        model.Llama(heads);
        model.Remove("k_merge");
        model.Forget("source_key_value_heads", "post_rope_proj");
    });

    /// <summary>A value matrix of more rows: its own, over and over, a little larger each time.</summary>
    static void Fill(TinyModel model, int rows) => model.Edit("v_proj", tensor =>
        Given(rows, tensor.Shape[1], (row, column) => tensor.Values[row % tensor.Shape[0] * tensor.Shape[1] + column] * (1 + row / tensor.Shape[0] * 0.1f)));

    [Fact]
    public void Cores_that_pick_heads_are_heads() => Same("schemes/tucker", model =>
    {
        var (heads, hidden) = (model.Int("num_attention_heads"), model.Int("hidden_size"));
        Widen(model, hidden);
        var width = hidden / heads;
        model.Config["latent_rope"] = false;
        model.Forget("rope_theta");
        model.Config["tucker_query_ranks"] = new JsonArray(heads, hidden, hidden);
        model.Config["tucker_value_ranks"] = new JsonArray(heads, hidden, hidden);
        model.EachLayer(name =>
        {
            foreach (var part in (string[])["q", "o"])
            {
                model.Tensors[name($"{part}_head")] = Given(heads, heads, (row, column) => row == column ? 1 : 0);
                model.Tensors[name($"{part}_core")] = new([heads, hidden, hidden],
                    [.. Enumerable.Range(0, heads * hidden * hidden).Select(i => i / hidden % hidden == i % hidden && i % hidden / width == i / hidden / hidden ? 1f : 0)]);
            }
        });
    },
    model =>
    {
        var hidden = model.Int("hidden_size");
        Widen(model, hidden);
        model.Llama(model.Int("num_attention_heads"));
        model.Remove("q_head", "o_head", "_core");
        // Rows of zeros in place of positions, and keys and queries that do not turn.
        model.Config["position_embedding_type"] = "learned";
        model.Tensors["model.embed_positions.weight"] = Given(model.Int("max_position_embeddings"), hidden, (_, _) => 0);
        model.Forget("tucker_query_ranks", "tucker_value_ranks", "latent_rope", "share_kv", "softmax_scale");
    });

    /// <summary>Square matrices, of the first rows and columns that are there.</summary>
    static void Widen(TinyModel model, int hidden)
    {
        foreach (var part in (string[])["q_proj", "k_proj", "v_proj", "o_proj"])
            model.Edit(part, tensor => Given(hidden, hidden, (row, column) =>
                tensor.Values[row % tensor.Shape[0] * tensor.Shape[1] + column % tensor.Shape[1]] * (1 + (row / tensor.Shape[0] + column / tensor.Shape[1]) * 0.1f)));
    }

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
}
