using System.Collections.Immutable;
using Serving.Attention.Families;

namespace Serving.Model.Gguf;

/// <summary>Names that most GGUF architectures share.</summary>
static class Names
{
    /// <summary>Sizes, norm and rotary keys of a decoder.</summary>
    public static ImmutableArray<(string Gguf, string Config)> DecoderKeys { get; } =
    [
        ("block_count", "num_hidden_layers"),
        ("context_length", "max_position_embeddings"),
        ("embedding_length", "hidden_size"),
        ("feed_forward_length", "intermediate_size"),
        ("vocab_size", "vocab_size"),
        ("attention.head_count", "num_attention_heads"),
        ("attention.head_count_kv", "num_key_value_heads"),
        ("attention.key_length", "head_dim"),
        ("attention.value_length", "v_head_dim"),
        ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
        ("attention.sliding_window", "sliding_window"),
        ("attention.sliding_window_pattern", "sliding_window_pattern"),
        ("rope.dimension_count", "rope_dimensions"),
        ("rope.freq_base", "rope_theta"),
        ("rope.scaling.type", "rope_scaling.rope_type"),
        ("rope.scaling.factor", "rope_scaling.factor"),
        ("rope.scaling.original_context_length", "rope_scaling.original_max_position_embeddings"),
        ("rope.scaling.attn_factor", "rope_scaling.attention_factor"),
        ("rope.scaling.finetuned", "rope_scaling.finetuned"),
        ("rope.scaling.yarn_beta_fast", "rope_scaling.beta_fast"),
        ("rope.scaling.yarn_beta_slow", "rope_scaling.beta_slow"),
        ("rope.scaling.yarn_log_multiplier", "rope_scaling.yarn_log_multiplier"),
        .. AttentionFamilies.GgufKeys,
    ];

    /// <summary>Embedding, final norm and head.</summary>
    public static ImmutableArray<(string Gguf, string Tensor)> DecoderTensors { get; } =
        [("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head")];

    /// <summary>Norms before attention and feed-forward, and a gated feed-forward.</summary>
    public static ImmutableArray<(string Gguf, string Tensor)> GatedLayerTensors { get; } =
    [
        ("attn_norm", "input_layernorm"),
        ("ffn_norm", "post_attention_layernorm"),
        ("ffn_gate", "mlp.gate_proj"),
        ("ffn_up", "mlp.up_proj"),
        ("ffn_down", "mlp.down_proj"),
    ];

    /// <summary>Keys of experts.</summary>
    public static ImmutableArray<(string Gguf, string Config)> ExpertKeys { get; } =
    [
        ("expert_count", "num_experts"),
        ("expert_used_count", "num_experts_per_tok"),
        ("expert_shared_count", "n_shared_experts"),
        ("expert_group_count", "n_group"),
        ("expert_group_used_count", "topk_group"),
        ("expert_feed_forward_length", "moe_intermediate_size"),
        ("expert_weights_scale", "routed_scaling_factor"),
        ("expert_weights_norm", "norm_topk_prob"),
        ("leading_dense_block_count", "first_k_dense_replace"),
        ("nextn_predict_layers", "num_nextn_predict_layers"),
    ];

    /// <summary>Router, stacked experts and shared experts.</summary>
    public static ImmutableArray<(string Gguf, string Tensor)> ExpertTensors { get; } =
    [
        ("ffn_gate_inp", "mlp.gate"),
        ("exp_probs_b.bias", "mlp.gate.e_score_correction_bias"),
        ("ffn_gate_exps", "mlp.experts.gate_proj"),
        ("ffn_up_exps", "mlp.experts.up_proj"),
        ("ffn_down_exps", "mlp.experts.down_proj"),
        ("ffn_gate_up_exps", "mlp.experts.gate_up_proj"),
        ("ffn_gate_shexp", "mlp.shared_experts.gate_proj"),
        ("ffn_up_shexp", "mlp.shared_experts.up_proj"),
        ("ffn_down_shexp", "mlp.shared_experts.down_proj"),
    ];

    /// <summary>What layers behind the last one have beside a layer's tensors; they predict further tokens and are left out.</summary>
    public static ImmutableArray<(string Gguf, string Tensor)> PredictionTensors { get; } =
    [
        ("nextn.eh_proj", "eh_proj"),
        ("nextn.enorm", "enorm"),
        ("nextn.hnorm", "hnorm"),
        ("nextn.embed_tokens", "embed_tokens"),
        ("nextn.shared_head_head", "shared_head.head"),
        ("nextn.shared_head_norm", "shared_head.norm"),
    ];

    /// <summary>Latent attention: down- and up-projections with their norms; keys and values fused, or each by itself.</summary>
    public static ImmutableArray<(string Gguf, string Tensor)> LatentTensors { get; } =
    [
        ("attn_q", "self_attn.q_proj"),
        ("attn_q_a", "self_attn.q_a_proj"),
        ("attn_q_a_norm", "self_attn.q_a_layernorm"),
        ("attn_q_b", "self_attn.q_b_proj"),
        ("attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"),
        ("attn_kv_a_norm", "self_attn.kv_a_layernorm"),
        ("attn_kv_b", "self_attn.kv_b_proj"),
        ("attn_k_b", "self_attn.k_b_proj"),
        ("attn_v_b", "self_attn.v_b_proj"),
        ("attn_output", "self_attn.o_proj"),
    ];

    /// <summary>Query, key, value and output projections.</summary>
    public static ImmutableArray<(string Gguf, string Tensor)> AttentionTensors { get; } =
    [
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.o_proj"),
    ];

    /// <summary>A norm of every query and key head.</summary>
    public static ImmutableArray<(string Gguf, string Tensor)> HeadNorms { get; } =
        [("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm")];

    /// <summary>A set of names with some replaced or added; an empty target removes the name.</summary>
    public static ImmutableArray<(string Gguf, string Config)> With(
        this ImmutableArray<(string Gguf, string Config)> names, params ReadOnlySpan<(string Gguf, string Config)> changes)
    {
        var merged = names.ToDictionary(name => name.Gguf, name => name.Config);
        foreach (var (gguf, config) in changes)
            merged[gguf] = config;
        return [.. merged.Where(name => name.Value.Length > 0).Select(name => (name.Key, name.Value))];
    }
}
