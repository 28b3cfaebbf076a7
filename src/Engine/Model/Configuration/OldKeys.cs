namespace Serving.Model;

/// <summary>
/// The names that keys had, or have in some model types, beside the one this server uses: the first that a file has counts.
/// </summary>
static class OldKeys
{
    static readonly Dictionary<string, string[]> Names = new()
    {
        ["dtype"] = ["dtype", "torch_dtype"],
        ["hidden_size"] = ["hidden_size", "n_embd", "embed_dim", "d_model"],
        ["num_hidden_layers"] = ["num_hidden_layers", "n_layer", "num_layers"],
        ["num_attention_heads"] = ["num_attention_heads", "n_head", "att_heads"],
        ["num_key_value_heads"] = ["num_key_value_heads", "num_attention_groups", "att_groups"],
        ["max_position_embeddings"] = ["max_position_embeddings", "max_position_embedding", "n_positions", "model_max_length", "block_size", "seq_len"],
        ["intermediate_size"] = ["intermediate_size", "n_inner", "ffn_hidden_size", "ff_dim"],
        ["hidden_act"] = ["hidden_act", "hidden_activation", "activation_function", "ff_activation"],
        ["layer_norm_eps"] = ["layer_norm_eps", "layer_norm_epsilon"],
        ["num_experts"] = ["num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"],
        ["num_experts_per_tok"] = ["num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_top_k"],
        ["n_shared_experts"] = ["n_shared_experts", "num_shared_experts"],
        ["n_group"] = ["n_group", "num_expert_group"],
        ["norm_topk_prob"] = ["norm_topk_prob", "moe_renormalize"],
        ["moe_intermediate_size"] = ["moe_intermediate_size", "expert_ffn_hidden_size"],
        ["moe_router_scaling_factor"] = ["moe_router_scaling_factor", "routed_scaling_factor"],
        ["share_expert_dim"] = ["share_expert_dim", "share_expert_dims"],
        ["sliding_window_pattern"] = ["sliding_window_pattern", "_sliding_window_pattern"],
    };

    /// <summary>All names of a key, the present one first.</summary>
    public static string[] NamesOf(string key) => Names.TryGetValue(key, out var names) ? names : [key];
}
