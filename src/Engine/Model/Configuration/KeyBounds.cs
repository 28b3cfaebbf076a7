using System.Collections.Frozen;

namespace Serving.Model;

/// <summary>
/// The range of whole numbers under keys that are sizes and counts, wide enough for any model and narrow enough that their products fit
/// 32 bits.
/// </summary>
static class KeyBounds
{
    static readonly FrozenDictionary<string, (int Least, int Most)> Bounds = new (string[] Keys, int Least, int Most)[]
    {
        (["hidden_size", "intermediate_size", "intermediate_size_mlp", "moe_intermediate_size", "shared_expert_intermediate_size",
            "share_expert_dim", "router_hidden_size", "ffn_hidden_size", "kv_lora_rank", "q_rank", "kv_rank"], 1, 1 << 20),
        (["num_attention_heads", "num_key_value_heads", "num_sliding_attention_heads", "head_dim", "qk_nope_head_dim", "qk_rope_head_dim",
            "v_head_dim", "qk_rope_dim", "rope_dim", "gate_embed_dim", "kv_residual_rank", "att_num_query_groups", "gqa_kv_heads",
            "layer_share_factor", "group_size", "source_key_value_heads"], 1, 1 << 14),
        (["num_experts", "num_experts_per_tok", "moe_topk", "n_group", "topk_group", "no_rope_layer_interval"], 1, 1 << 16),
        (["zero_expert_num"], 0, 1 << 16),
        (["n_shared_experts", "num_nextn_predict_layers"], 0, 1 << 10),
        (["q_lora_rank", "share_q_dim"], 0, 1 << 20),
        (["vocab_size"], 1, 1 << 24),
        (["max_position_embeddings", "original_max_position_embeddings"], 1, 1 << 30),
    }.SelectMany(row => row.Keys.Select(key => (key, row.Least, row.Most))).ToFrozenDictionary(row => row.key, row => (row.Least, row.Most));

    /// <summary>The range of a key, which may be an element of a list; null where any number is allowed.</summary>
    public static (int Least, int Most)? Of(string key) =>
        Bounds.TryGetValue(key.Split('[')[0], out var bounds) ? bounds : null;
}
