using System.Text.Json.Nodes;
using static Serving.Tests.Variants;

namespace Serving.Tests;

/// <summary>Schemes around latents at the settings at which they are plain latent attention, or one another: the same logits by two plans.</summary>
public sealed class DegenerateLatentTests
{
    [Fact]
    public void Rows_of_one_token_whose_gate_is_open_are_latents()
    {
        Same("schemes/mtla", model =>
        {
            Centre(model);
            model.Config["down_rate"] = 1;
            model.Edit("kv_norm.bias", tensor => tensor.Times(0));
            model.Edit("hypernet_down", tensor => tensor.Times(0).Plus(tensor.Shape.Length == 1 ? 10 : 0));
        },
        model =>
        {
            Centre(model);
            ToLatents(model);
        });
    }

    static void ToLatents(TinyModel model)
    {
        model.DeepSeek();
        model.Remove("hypernet_down", "kv_norm.bias");
        foreach (var (from, to) in new[] { ("wkv_a.", "kv_a_proj_with_mqa."), ("kv_norm.", "kv_a_layernorm."), ("wkv_b.", "kv_b_proj."), (".wo.", ".o_proj."), (".wq.", ".q_proj.") })
            model.Rename(from, to);
        model.Config["q_lora_rank"] = null;
        model.Forget("down_rate", "recompute_prompt_attn");
    }

    // The layer norm of a centred row is its norm by the root of the mean square; large rows do not feel the epsilons, which differ.
    static void Centre(TinyModel model) => model.Edit("wkv_a.weight", down =>
    {
        var (latent, inputs) = (model.Int("kv_lora_rank"), down.Shape[1]);
        float[] means = [.. Enumerable.Range(0, inputs).Select(column => Enumerable.Range(0, latent).Average(row => down.Values[row * inputs + column]))];
        return Given(down.Shape[0], inputs, (row, column) => row < latent ? 100 * (down.Values[row * inputs + column] - means[column]) : down.Values[row * inputs + column]);
    });

    [Fact]
    public void Layers_that_share_rows_of_one_token_share_latents() => Same("schemes/mtla", model =>
    {
        Centre(model);
        (model.Config["down_rate"], model.Config["layer_share_factor"]) = (1, 2);
        model.Edit("kv_norm.bias", tensor => tensor.Times(0));
        model.Edit("hypernet_down", tensor => tensor.Times(0).Plus(tensor.Shape.Length == 1 ? 10 : 0));
        Borrow(model, "wkv_a.", "kv_norm.", "hypernet_down");
    },
    model =>
    {
        Centre(model);
        ToLatents(model);
        (model.Config["model_type"], model.Config["layer_share_factor"]) = ("clla", 2);
        model.Config["rope_key"] = "shared_with_latent";
        model.Forget("first_k_dense_replace");
        Borrow(model, "kv_a_");
    });

    // The second of each two layers makes no rows.
    static void Borrow(TinyModel model, params string[] parts) => model.Remove([.. parts.Select(part => $"layers.1.self_attn.{part}")]);

    [Theory, InlineData("clla"), InlineData("clla_per_layer")]
    public void Latents_that_no_layer_shares_are_latents(string fixture)
    {
        Same($"schemes/{fixture}", model =>
        {
            OwnEverywhere(model);
            model.Config["layer_share_factor"] = 1;
        },
        model =>
        {
            OwnEverywhere(model);
            model.DeepSeek();
            if (fixture == "clla_per_layer")
                model.EachLayer(name => model.Tensors[name("kv_a_proj_with_mqa.weight")] = Below(model.Tensors[name("kv_a_proj.weight")], model.Tensors[name("k_rope_proj.weight")]));
            model.Remove("kv_a_proj.", "k_rope_proj");
            model.Forget("layer_share_factor", "latent_norm", "rope_key", "latent_quantization");
        });

        // Each second layer gets what the one before it makes.
        static void OwnEverywhere(TinyModel model)
        {
            foreach (var name in model.Tensors.Keys.Where(name => name.Contains(".kv_a_")).ToArray())
            {
                var layer = int.Parse(name.Split('.')[2]);
                model.Tensors.TryAdd(name.Replace($"layers.{layer}.", $"layers.{layer + 1}."), model.Tensors[name]);
            }
        }
    }

    [Fact]
    public void Two_latents_that_are_one_are_one() => Same("schemes/gla", model =>
    {
        Alike(model);
        model.EachLayer(name => model.Tensors[name("kv_norm_2.weight")] = model.Tensors[name("kv_norm_1.weight")]);
    },
    model =>
    {
        Alike(model);
        model.DeepSeek();
        var width = model.Int("head_dim");
        foreach (var (key, value) in new[] { ("kv_lora_rank", 2 * width), ("q_lora_rank", 8 * width), ("qk_nope_head_dim", width), ("v_head_dim", width), ("qk_rope_head_dim", 6) })
            model.Config[key] = value;
        (model.Config["attention_bias"], model.Config["rope_interleave"]) = (true, false);
        model.Forget("head_dim", "qk_rope_dim");
        model.EachLayer(name =>
        {
            foreach (var part in (string[])["weight", "bias"])
                model.Tensors[name($"kv_a_proj_with_mqa.{part}")] = Below(
                    model.Tensors[name($"W_dKV.{part}")].Rows(0, 2 * width), model.Tensors[name($"W_dKV.{part}")].Rows(4 * width, 6));
            model.Tensors[name("kv_b_proj.weight")] = Below(model.Tensors[name("W_ukv_1.weight")], model.Tensors[name("W_ukv_2.weight")]);
        });
        foreach (var (from, to) in new[] { ("W_dQ.", "q_a_proj."), ("W_uQ_rope.", "q_b_proj."), ("kv_norm_1.", "kv_a_layernorm."), (".q_norm.", ".q_a_layernorm.") }) model.Rename(from, to);
        model.Remove("W_dKV", "W_ukv", "kv_norm_2");
    });

    // Both latents by the same matrix, without biases behind them, and the epsilon that plain latents have.
    static void Alike(TinyModel model)
    {
        var width = 2 * model.Int("head_dim");
        model.Config["rms_norm_eps"] = 1e-6;
        model.Edit("W_dKV", tensor => Below(tensor.Rows(0, width), tensor.Rows(0, width), tensor.Rows(2 * width, tensor.Shape[0] - 2 * width)));
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("W_ukv") && name.EndsWith("bias")).ToArray()) model.Tensors[name] = model.Tensors[name].Times(0);
    }

    [Theory, InlineData("eg_mla"), InlineData("eg_mla_latent")]
    public void Gates_that_are_one_leave_latents(string fixture) => Same($"schemes/{fixture}", model =>
    {
        model.Config["gate_norm_span"] = "none";
        model.Remove("self_attn.gate_norm");
        foreach (var part in (string[])["self_attn.gate_embed", "self_attn.gate_proj"]) model.Edit(part, tensor => Given(tensor.Shape[0], tensor.Shape[1], (_, column) => column == 0 ? 1 : 0));
    },
    model =>
    {
        model.DeepSeek();
        model.Remove("self_attn.gate_");
        model.Config["qk_latent_layernorm"] = false;
        model.Forget("gate_embed_dim", "gate_site", "gate_norm_span");
    });

    [Fact]
    public void Heads_that_are_mixed_by_the_identity_are_not_mixed() => Same("schemes/kha_mla", model => model.Edit("kha.", Identity), model =>
    {
        model.DeepSeek();
        model.Remove("kha.");
        model.Forget("kha");
    });

    [Fact]
    public void Latents_of_keys_and_values_apart_are_one_latent_side_by_side()
    {
        const int Rank = 31;
        Same("schemes/care", _ => { }, model =>
        {
            var (heads, groups, content, rotary, value) = (model.Int("num_attention_heads"), model.Int("num_key_value_heads"), 10, 6, 12);
            model.DeepSeek();
            model.EachLayer(name =>
            {
                TinyTensor Of(string part) => model.Tensors[name($"{part}.weight")];
                var (k, v) = (Of("k_a_proj").Shape[0], Of("v_a_proj").Shape[0]);
                model.Tensors[name("kv_a_proj_with_mqa.weight")] = Below(
                    Of("k_a_proj"), Of("v_a_proj"), Given(Rank - k - v, Of("k_a_proj").Shape[1], (_, _) => 0), Of("k_rope_proj"));
                model.Tensors[name("kv_b_proj.weight")] = Given(heads * (content + value), Rank, (row, column) =>
                {
                    var (group, within) = (row / (content + value) / (heads / groups), row % (content + value));
                    return within < content
                        ? column < k ? Of("k_b_proj").Values[(group * content + within) * k + column] : 0
                        : column >= k && column < k + v ? Of("v_b_proj").Values[(group * value + within - content) * v + column - k] : 0;
                });
            });
            model.Remove(".k_a_proj.", ".v_a_proj.", ".k_b_proj.", ".v_b_proj.", ".k_rope_proj.");
            (model.Config["kv_lora_rank"], model.Config["q_lora_rank"], model.Config["qk_latent_layernorm"]) = (Rank, null, false);
            model.Config["rope_interleave"] = true;
            model.Forget("k_lora_ranks", "v_lora_ranks");
        });
    }

    [Fact]
    public void Latents_of_two_modalities_with_equal_weights_are_latents_of_one() => Same("schemes/mha2mla_vlm", model =>
    {
        // Tokens of the prompt, here and there, are parts of images.
        model.Config["image_token_ids"] = new JsonArray(14, 25, 36, 70, 113);
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("kv_proj_text")).ToArray()) model.Tensors[name.Replace("kv_proj_text", "kv_proj_img")] = model.Tensors[name];
    },
    model =>
    {
        model.Remove("kv_proj_img");
        model.Rename("kv_proj_text", "kv_proj");
        model.Forget("image_token_ids");
    });

    [Fact]
    public void A_stack_with_no_layer_left_as_it_was_is_latents_without_norms() => Same("schemes/x_ecomla", Convert, model =>
    {
        Convert(model);
        model.DeepSeek();
        // The layers' own ranks, filled up with zeros to the largest.
        var (rank, latent, rotary) = (32, 24, 6);
        foreach (var (key, value) in new[] { ("q_lora_rank", rank), ("kv_lora_rank", latent), ("qk_nope_head_dim", 6), ("qk_rope_head_dim", rotary), ("v_head_dim", 12) })
            model.Config[key] = value;
        (model.Config["qk_latent_layernorm"], model.Config["rope_interleave"]) = (false, true);
        model.Config["rope_scaling"] = JsonNode.Parse("""
            {"type": "yarn", "factor": 32.0, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 0.0, "original_max_position_embeddings": 4096}
            """);
        model.Forget("head_dim");
        model.Rename(".mla.out_proj", ".self_attn.o_proj");
        model.Rename(".mla.", ".self_attn.");
        model.Edit("q_a_proj", tensor => Wider(tensor, rank, tensor.Shape[1]));
        foreach (var (up, width) in new[] { ("q_b_proj", rank), ("kv_b_proj", latent) }) model.Edit(up, tensor => Wider(tensor, tensor.Shape[0], width));
        model.Edit("kv_a_proj_with_mqa", tensor => Below(Wider(tensor.Rows(0, tensor.Shape[0] - rotary), latent, tensor.Shape[1]), tensor.Rows(tensor.Shape[0] - rotary, rotary)));

        TinyTensor Wider(TinyTensor tensor, int rows, int columns) => Given(rows, columns, (row, column) =>
            row < tensor.Shape[0] && column < tensor.Shape[1] ? tensor.Values[row * tensor.Shape[1] + column] : 0);
    });

    // The one layer that kept its heads gets the latents of the first, whose ranks are those of layers without their own.
    static void Convert(TinyModel model)
    {
        model.Remove(".self_attn.");
        foreach (var name in model.Tensors.Keys.Where(name => name.Contains("layers.0.mla.")).ToArray())
            model.Tensors[name.Replace("layers.0.", "layers.1.")] = model.Tensors[name].Times(0.9);
    }

    static TinyTensor Identity(TinyTensor tensor) => Given(tensor.Shape[0], tensor.Shape[1], (row, column) => row == column ? 1 : 0);
}
