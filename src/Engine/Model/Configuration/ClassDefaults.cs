using System.Collections.Frozen;

namespace Serving.Model;

/// <summary>
/// What published configuration files leave out because the model type's class in transformers 5.23.0 has it as its default.
/// </summary>
static class ClassDefaults
{
    /// <summary>Stands for the value of num_attention_heads.</summary>
    public const string SameAsHeads = "= heads";

    /// <summary>Stands for hidden_size / num_attention_heads.</summary>
    public const string HeadShare = "= hidden / heads";

    static readonly FrozenDictionary<string, Row> Rows = new Dictionary<string, Row>
    {
        ["llama"] = new(MaxPositions: 2048),
        ["mistral"] = new(KeyValueHeads: 8, Window: 4096, MaxPositions: 131072),
        ["qwen2"] = new(KeyValueHeads: 32, MaxPositions: 32768),
        ["qwen2_5_vl"] = new(KeyValueHeads: 32, MaxPositions: 32768),
        ["qwen2_5_vl_text"] = new(KeyValueHeads: 32, MaxPositions: 32768),
        ["qwen3"] = new(KeyValueHeads: 32, HeadSize: 128, MaxPositions: 32768),
        ["qwen3_moe"] = new(KeyValueHeads: 4, MaxPositions: 32768),
        ["gpt2"] = new(Theta: null, Bias: true, Epsilon: "1e-05", Tied: true, Activation: "gelu_new", MaxPositions: 1024),
        ["gpt_bigcode"] = new(Theta: null, Bias: true, Epsilon: "1e-05", Tied: true, Activation: "gelu_pytorch_tanh", MaxPositions: 1024),
        ["gpt_neox"] = new(Bias: true, Partial: "0.25", Epsilon: "1e-05", Activation: "gelu", MaxPositions: 2048),
        ["phi3"] = new(Epsilon: "1e-05", MaxPositions: 4096),
        ["gemma2"] = new(Tied: true, Activation: "gelu_pytorch_tanh", KeyValueHeads: 4, Window: 4096, HeadSize: 256, MaxPositions: 8192),
        ["gemma3_text"] = new("1000000", Tied: true, Activation: "gelu_pytorch_tanh", KeyValueHeads: 4, Window: 4096, HeadSize: 256,
            MaxPositions: 131072),
        ["olmo2"] = new(Epsilon: "1e-05", MaxPositions: 2048),
        ["granite"] = new(MaxPositions: 2048),
        ["smollm3"] = new("2000000", Tied: true, KeyValueHeads: 4, MaxPositions: 32768),
        ["cohere2"] = new(Epsilon: "1e-05", Tied: true, Window: 4096, MaxPositions: 8192, Interleaved: true),
        ["ernie4_5"] = new("500000", Epsilon: "1e-05", Tied: true, KeyValueHeads: 2, HeadSize: 128, MaxPositions: 131072,
            Interleaved: true),
        ["exaone4"] = new(Epsilon: "1e-05", KeyValueHeads: 32, Window: 4096, MaxPositions: 2048),
        ["hunyuan_v1_dense"] = new(Epsilon: "1e-05", MaxPositions: 2048),
        ["hunyuan_v1_moe"] = new(Epsilon: "1e-05", MaxPositions: 2048),
        ["deepseek_v2"] = new(MaxPositions: 2048, Interleaved: true),
        ["deepseek_v3"] = new(KeyValueHeads: 128, MaxPositions: 4096, Interleaved: true),
        ["minicpm3"] = new(Epsilon: "1e-05", Tied: true, KeyValueHeads: 40, MaxPositions: 32768),
        ["glm4_moe_lite"] = new(Epsilon: "1e-05", KeyValueHeads: 20, MaxPositions: 202752, Interleaved: true),
        ["glm4_moe"] = new(Partial: "0.5", Epsilon: "1e-05", KeyValueHeads: 8, MaxPositions: 131072),
        ["longcat_flash"] = new("10000000", Epsilon: "1e-05", MaxPositions: 131072, Interleaved: true),
        ["mistral4"] = new(Partial: "0.5", KeyValueHeads: 32, MaxPositions: 1048576, Interleaved: true),
        ["youtu"] = new(Tied: true, KeyValueHeads: 16, MaxPositions: 131072, Interleaved: true),
        ["axk1"] = new(KeyValueHeads: 64, MaxPositions: 32768, Interleaved: true),
        ["zaya"] = new("5000000", Epsilon: "1e-05", Tied: true, KeyValueHeads: 2, HeadSize: 128, MaxPositions: 131072),
        ["mixtral"] = new("1000000", Epsilon: "1e-05", KeyValueHeads: 8, MaxPositions: 131072),
        ["qwen2_moe"] = new(KeyValueHeads: 16, MaxPositions: 32768),
        ["gpt_oss"] = new("150000", Bias: true, Epsilon: "1e-05", KeyValueHeads: 8, Window: 128, HeadSize: 64, MaxPositions: 131072),
        ["stablelm"] = new(Partial: "0.25", Epsilon: "1e-05", KeyValueHeads: 32, MaxPositions: 4096),
        ["nemotron"] = new(Partial: "0.5", Epsilon: "1e-05", Activation: "relu2", MaxPositions: 4096),
        ["llama4_text"] = new("500000", Epsilon: "1e-05", KeyValueHeads: 8, HeadSize: 128, MaxPositions: 131072, Interleaved: true),
        ["kimi_linear"] = new(Theta: null, Epsilon: "1e-05", KeyValueHeads: 32, MaxPositions: 1048576),
    }.ToFrozenDictionary();

    // Keys that few model types have.
    static readonly FrozenDictionary<(string Type, string Key), string> Special = new Dictionary<(string Type, string Key), string>
    {
        [("deepseek_v2", "n_shared_experts")] = "2",
        [("deepseek_v2", "norm_topk_prob")] = "false",
        [("deepseek_v2", "topk_method")] = "\"greedy\"",
        [("deepseek_v3", "first_k_dense_replace")] = "3",
        [("deepseek_v3", "n_shared_experts")] = "1",
        [("deepseek_v3", "norm_topk_prob")] = "true",
        [("glm4_moe", "first_k_dense_replace")] = "1",
        [("glm4_moe", "n_group")] = "1",
        [("glm4_moe", "topk_group")] = "1",
        [("glm4_moe", "n_shared_experts")] = "1",
        [("glm4_moe", "norm_topk_prob")] = "true",
        [("glm4_moe", "routed_scaling_factor")] = "1",
        [("glm4_moe_lite", "n_group")] = "1",
        [("glm4_moe_lite", "topk_group")] = "1",
        [("glm4_moe_lite", "n_shared_experts")] = "1",
        [("glm4_moe_lite", "norm_topk_prob")] = "true",
        [("glm4_moe_lite", "routed_scaling_factor")] = "1.8",
        [("gpt_bigcode", "multi_query")] = "true",
        [("gpt_neox", "use_parallel_residual")] = "true",
        [("gpt_oss", "swiglu_alpha")] = "1.702",
        [("kimi_linear", "n_group")] = "1",
        [("kimi_linear", "topk_group")] = "1",
        [("kimi_linear", "n_shared_experts")] = "1",
        [("kimi_linear", "norm_topk_prob")] = "true",
        [("llama4_text", "attn_temperature_tuning")] = "true",
        [("llama4_text", "interleave_moe_layer_step")] = "1",
        [("llama4_text", "num_experts_per_tok")] = "1",
        [("llama4_text", "use_qk_norm")] = "true",
        [("minicpm3", "v_head_dim")] = HeadShare,
        [("mixtral", "num_experts_per_tok")] = "2",
        [("qwen2_moe", "decoder_sparse_step")] = "1",
        [("qwen2_moe", "norm_topk_prob")] = "false",
        [("qwen2_moe", "qkv_bias")] = "true",
        [("qwen3_moe", "decoder_sparse_step")] = "1",
    }.ToFrozenDictionary();

    /// <summary>
    /// The default of a key as JSON text, or null if there is none. For a key that the file has as null only the number of key-value
    /// heads means something: as many as query heads.
    /// </summary>
    public static string? Find(string modelType, string key, bool isNull)
    {
        if (isNull)
            return key == "num_key_value_heads" ? SameAsHeads : null;
        return Special.TryGetValue((modelType, key), out var special) ? special
            : Rows.TryGetValue(modelType, out var row) && row.Find(key) is { } value ? value
            : key is "attention_bias" or "mlp_bias" ? "false"
            : null;
    }

    sealed record Row(
        string? Theta = "10000",
        string Partial = "1",
        string Epsilon = "1e-06",
        bool Tied = false,
        string Activation = "silu",
        int? KeyValueHeads = null,
        int? Window = null,
        int? HeadSize = null,
        int MaxPositions = 0,
        bool Interleaved = false,
        bool Bias = false)
    {
        public string? Find(string key) => key switch
        {
            "rope_theta" => Theta,
            "partial_rotary_factor" => Partial,
            "rope_interleave" => Interleaved ? "true" : "false",
            "rms_norm_eps" or "layer_norm_eps" => Epsilon,
            "tie_word_embeddings" => Tied ? "true" : "false",
            "hidden_act" => $"\"{Activation}\"",
            "num_key_value_heads" => KeyValueHeads?.ToString() ?? SameAsHeads,
            "attention_bias" => Bias ? "true" : "false",
            "sliding_window" => Window?.ToString(),
            "head_dim" => HeadSize?.ToString(),
            "max_position_embeddings" => $"{MaxPositions}",
            _ => null,
        };
    }
}
