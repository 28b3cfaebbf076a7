using System.Text.Json.Nodes;

namespace Serving.Tests;

/// <summary>The metadata that llama.cpp's files have for a configuration under Hugging Face's names.</summary>
static class GgufHeader
{
    static readonly (string Config, string Gguf)[] Sizes =
    [
        ("num_hidden_layers", "block_count"), ("max_position_embeddings", "context_length"), ("hidden_size", "embedding_length"),
        ("intermediate_size", "feed_forward_length"), ("num_attention_heads", "attention.head_count"), ("vocab_size", "vocab_size"),
        ("num_key_value_heads", "attention.head_count_kv"), ("kv_lora_rank", "attention.kv_lora_rank"), ("q_lora_rank", "attention.q_lora_rank"),
        ("n_routed_experts", "expert_count"), ("num_experts", "expert_count"), ("num_local_experts", "expert_count"),
        ("num_experts_per_tok", "expert_used_count"), ("n_shared_experts", "expert_shared_count"),
        ("moe_intermediate_size", "expert_feed_forward_length"), ("num_nextn_predict_layers", "nextn_predict_layers"),
        ("first_k_dense_replace", "leading_dense_block_count"),
        ("n_group", "expert_group_count"), ("topk_group", "expert_group_used_count"), ("sliding_window", "attention.sliding_window"),
    ];

    public static void Write(GgufBytes file, JsonObject config, string architecture, bool split)
    {
        // Numbers that a test set become those of a file.
        config = JsonNode.Parse(config.ToJsonString())!.AsObject();
        uint? Size(string key) => config[key] is JsonValue value && value.TryGetValue<uint>(out var size) ? size : null;
        file.Text("general.architecture", architecture);
        // What llama.cpp reads where a file has no vocabulary.
        file.Text("tokenizer.ggml.model", "no_vocab");
        // Absorbed, all heads read one group.
        if (split) file.UInt32($"{architecture}.attention.head_count_kv", 1);
        foreach (var (key, name) in Sizes)
            if (Size(key) is { } size && file.Unsaid($"{architecture}.{name}")) file.UInt32($"{architecture}.{name}", size);
        file.Float32($"{architecture}.attention.layer_norm_rms_epsilon", Float(config, "rms_norm_eps"));
        var rope = config["rope_parameters"]!.AsObject();
        var local = rope["sliding_attention"] as JsonObject;
        rope = rope["full_attention"] as JsonObject ?? rope;
        file.Float32($"{architecture}.rope.freq_base", Float(rope, "rope_theta"));
        if (local is not null) file.Float32($"{architecture}.rope.freq_base_swa", Float(local, "rope_theta"));
        DescribeScaling(file, config, rope, architecture);
        if (Size("head_dim") is { } width && Size("kv_lora_rank") is null)
            file.UInt32($"{architecture}.attention.key_length", width).UInt32($"{architecture}.attention.value_length", width);
        Describe(file, config, architecture, split);
    }

    static void Describe(GgufBytes file, JsonObject config, string architecture, bool split)
    {
        uint Size(string key) => config[key]!.GetValue<uint>();
        switch (architecture)
        {
            case "deepseek2": DescribeLatent(file, config, split); break;
            case "minicpm3":
                file.UInt32("minicpm3.attention.key_length", Size("qk_nope_head_dim") + Size("qk_rope_head_dim"));
                file.UInt32("minicpm3.rope.dimension_count", Size("qk_rope_head_dim"));
                break;
            case "gemma2":
                file.Float32("gemma2.attn_logit_softcapping", Float(config, "attn_logit_softcapping"));
                file.Float32("gemma2.final_logit_softcapping", Float(config, "final_logit_softcapping"));
                break;
            case "gemma3":
                file.Bools("gemma3.attention.sliding_window_pattern", [.. config["layer_types"]!.AsArray().Select(type => (string)type! == "sliding_attention")]);
                break;
            case "gpt-oss": file.UInt32("gpt-oss.expert_feed_forward_length", Size("intermediate_size")); break;
            case "glm4moe":
                file.UInt32("glm4moe.rope.dimension_count", (uint)(Size("head_dim") * Float(config["rope_parameters"]!.AsObject(), "partial_rotary_factor")));
                file.UInt32("glm4moe.expert_gating_func", 2);
                file.Float32("glm4moe.expert_weights_scale", Float(config, "routed_scaling_factor"));
                file.Bool("glm4moe.expert_weights_norm", true);
                break;
        }
    }

    static void DescribeLatent(GgufBytes file, JsonObject config, bool split)
    {
        uint Size(string key) => config[key]!.GetValue<uint>();
        var (key, value) = (Size("qk_nope_head_dim") + Size("qk_rope_head_dim"), Size("v_head_dim"));
        file.UInt32("deepseek2.rope.dimension_count", Size("qk_rope_head_dim"));
        file.UInt32("deepseek2.attention.key_length", split ? Size("kv_lora_rank") + Size("qk_rope_head_dim") : key);
        file.UInt32("deepseek2.attention.value_length", split ? Size("kv_lora_rank") : value);
        if (split) file.UInt32("deepseek2.attention.key_length_mla", key).UInt32("deepseek2.attention.value_length_mla", value);
        var sigmoid = (string)config["model_type"]! == "deepseek_v3";
        if (sigmoid) file.Bool("deepseek2.expert_weights_norm", true);
        file.UInt32("deepseek2.expert_gating_func", sigmoid ? 2u : 1u);
        file.Float32("deepseek2.expert_weights_scale", Float(config, "routed_scaling_factor"));
    }

    static void DescribeScaling(GgufBytes file, JsonObject config, JsonObject rope, string architecture)
    {
        void Number(string key, string name)
        {
            if (rope[key] is { } value) file.Float32($"{architecture}.rope.scaling.{name}", value.GetValue<float>());
        }

        void Original() => file.UInt32($"{architecture}.rope.scaling.original_context_length", rope["original_max_position_embeddings"]!.GetValue<uint>());

        switch ((string)rope["rope_type"]!)
        {
            case "linear":
                file.Text($"{architecture}.rope.scaling.type", "linear");
                Number("factor", "factor");
                break;
            case "yarn":
                file.Text($"{architecture}.rope.scaling.type", "yarn");
                Original();
                Number("factor", "factor");
                Number("beta_fast", "yarn_beta_fast");
                Number("beta_slow", "yarn_beta_slow");
                if (rope["mscale_all_dim"] is { } scale) file.Float32($"{architecture}.rope.scaling.yarn_log_multiplier", 0.1f * scale.GetValue<float>());
                break;
            case "longrope":
                Original();
                var (max, original) = (Float(config, "max_position_embeddings"), Float(rope, "original_max_position_embeddings"));
                file.Float32($"{architecture}.rope.scaling.attn_factor", (float)Math.Sqrt(1 + Math.Log(max / original) / Math.Log(original)));
                if (architecture == "phi3") file.UInt32("phi3.rope.dimension_count", (uint)(2 * rope["short_factor"]!.AsArray().Count));
                foreach (var list in (string[])["short", "long"])
                {
                    float[] factors = [.. rope[$"{list}_factor"]!.AsArray().Select(factor => factor!.GetValue<float>())];
                    file.Tensor($"rope_factors_{list}.weight", [factors.Length], factors);
                }
                break;
        }
    }

    static float Float(JsonObject config, string key) => (float)config[key]!.GetValue<double>();
}
