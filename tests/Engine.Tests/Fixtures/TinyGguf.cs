using System.Text.Json.Nodes;

namespace Serving.Tests;

/// <summary>Small models within what a GGUF file of their architecture, and llama.cpp, can say.</summary>
static class TinyGguf
{
    /// <summary>The fixture of a name, changed where files cannot say what it needs; "long" or "short" after a blank chooses lists of LongRoPE, "wide" gives experts 64 inputs.</summary>
    public static TinyModel Of(string name)
    {
        if (name == "glm4_moe") return Glm4Moe();
        var words = name.Split(' ');
        var model = TinyModel.Of($"hf/{words[0]}");
        switch (words[0])
        {
            case "gpt_oss": BoundGates(model); break;
            case "qwen3_moe": RouteEveryLayer(model); break;
            case "deepseek_v2_yarn": ChooseFromOneGroup(model); break;
        }
        if (model.Config["rope_parameters"]?["beta_fast"] is not null) Ramp(model);
        if (words.Length > 1 && words[1] == "wide") Widen(model);
        else if (words.Length > 1) StretchFrom(model, words[1] == "long" ? 128 : 256);
        // llama.cpp norms latents with the model's epsilon, published implementations with this one.
        if (model.Config["kv_lora_rank"] is not null) model.Config["rms_norm_eps"] = 1e-6;
        return model;
    }

    // Files have no list of dense layers: layer 1 gets the experts of layer 2.
    static void RouteEveryLayer(TinyModel model)
    {
        foreach (var name in model.Tensors.Keys.Where(name => name.StartsWith("model.layers.1.mlp.")).ToList()) model.Tensors.Remove(name);
        foreach (var (name, tensor) in model.Tensors.Where(t => t.Key.StartsWith("model.layers.2.mlp.")).ToList())
            model.Tensors.Add(name.Replace("layers.2.", "layers.1."), tensor);
        model.Config["mlp_only_layers"] = new JsonArray();
    }

    // llama.cpp ranks groups by their two best experts, DeepSeek-V2 by the best; and files hold one of the two weights of YaRN's magnitude.
    static void ChooseFromOneGroup(TinyModel model)
    {
        (model.Config["n_group"], model.Config["topk_group"]) = (1, 1);
        model.Config["rope_parameters"]!["mscale"] = (double)model.Config["rope_parameters"]!["mscale_all_dim"]!;
    }

    // Blocks of 32 want widths that are multiples of it: experts of 36 get 28 more, which are those before them in another order.
    static void Widen(TinyModel model)
    {
        const int Narrow = 36, Wide = 64;
        model.Config["intermediate_size"] = Wide;
        foreach (var (name, tensor) in model.Tensors.Where(t => t.Key.Contains("mlp.experts.")).ToList())
        {
            var pairs = name.Contains("gate_up") ? 2 : 1;
            // Rows of down, columns of gate and up.
            if (name.EndsWith("down_proj"))
                model.Tensors[name] = Repeated(tensor, [tensor.Shape[0], Wide, tensor.Shape[2]], Narrow * tensor.Shape[2], Wide * tensor.Shape[2]);
            else if (pairs == 2) model.Tensors[name] = Repeated(tensor, [.. tensor.Shape[..^1], 2 * Wide], 2 * Narrow, 2 * Wide);
        }

        static TinyTensor Repeated(TinyTensor tensor, int[] shape, int narrow, int wide) =>
            new(shape, [.. tensor.Values.Chunk(narrow).SelectMany(row => row.Concat(row.Reverse().Take(wide - narrow).Select(value => -value / 2)))]);
    }

    // Contexts of llama.cpp are multiples of 256 tokens, and their length chooses the list.
    static void StretchFrom(TinyModel model, int original)
    {
        model.Config["max_position_embeddings"] = 512;
        model.Config["rope_parameters"]!["original_max_position_embeddings"] = original;
        if (model.Config["original_max_position_embeddings"] is not null) model.Config["original_max_position_embeddings"] = original;
    }

    // llama.cpp knows one limit.
    static void BoundGates(TinyModel model) => model.Config["swiglu_limit"] = 7.0;

    // It does not read the turns at the ends of YaRN's ramp, and rounds the ends: here both lie within 4e-6 of whole dimensions for
    // gpt-oss, which does not round them.
    static void Ramp(TinyModel model)
    {
        var rope = model.Config["rope_parameters"]!.AsObject();
        (rope["beta_fast"], rope["beta_slow"]) = (32.0, 1.0);
        (rope["original_max_position_embeddings"], rope["rope_theta"]) =
            (string)model.Config["model_type"]! == "gpt_oss" ? (36397, 185371.77) : (4096, 10000.0);
    }

    static TinyModel Glm4Moe()
    {
        const int Hidden = 64, Heads = 4, Groups = 2, Width = 16, Experts = 6, Layers = 3;
        return TinyModel.Random($$"""
            {"model_type": "glm4_moe", "num_hidden_layers": {{Layers}}, "hidden_size": {{Hidden}}, "num_attention_heads": {{Heads}},
             "num_key_value_heads": {{Groups}}, "head_dim": {{Width}}, "intermediate_size": 96, "moe_intermediate_size": 32, "vocab_size": 160,
             "n_routed_experts": {{Experts}}, "num_experts_per_tok": 3, "n_shared_experts": 2, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
             "norm_topk_prob": true, "routed_scaling_factor": 1.5, "rms_norm_eps": 0.001, "max_position_embeddings": 256, "use_qk_norm": true,
             "attention_bias": true, "hidden_act": "silu", "tie_word_embeddings": false,
             "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0, "partial_rotary_factor": 0.5} }
            """, Shapes(), seed: 45);

        IEnumerable<(string, int[])> Shapes()
        {
            yield return ("model.embed_tokens.weight", [160, Hidden]);
            yield return ("model.norm.weight", [Hidden]);
            yield return ("lm_head.weight", [160, Hidden]);
            for (var layer = 0; layer < Layers; layer++)
                foreach (var (name, shape) in Attention().Concat(layer == 0 ? Gated("mlp.", 96) : Routed()))
                    yield return ($"model.layers.{layer}.{name}", shape);
        }

        static IEnumerable<(string, int[])> Attention() =>
        [
            ("input_layernorm.weight", [Hidden]), ("post_attention_layernorm.weight", [Hidden]),
            ("self_attn.q_proj.weight", [Heads * Width, Hidden]), ("self_attn.q_proj.bias", [Heads * Width]),
            ("self_attn.k_proj.weight", [Groups * Width, Hidden]), ("self_attn.k_proj.bias", [Groups * Width]),
            ("self_attn.v_proj.weight", [Groups * Width, Hidden]), ("self_attn.v_proj.bias", [Groups * Width]),
            ("self_attn.o_proj.weight", [Hidden, Heads * Width]), ("self_attn.q_norm.weight", [Width]), ("self_attn.k_norm.weight", [Width]),
        ];

        static IEnumerable<(string, int[])> Gated(string prefix, int width) =>
            [($"{prefix}gate_proj.weight", [width, Hidden]), ($"{prefix}up_proj.weight", [width, Hidden]), ($"{prefix}down_proj.weight", [Hidden, width])];

        static IEnumerable<(string, int[])> Routed() =>
        [
            ("mlp.gate.weight", [Experts, Hidden]), ("mlp.gate.e_score_correction_bias", [Experts]),
            .. Enumerable.Range(0, Experts).SelectMany(expert => Gated($"mlp.experts.{expert}.", 32)), .. Gated("mlp.shared_experts.", 64),
        ];
    }
}
