using System.Collections.Frozen;
using System.Text.Json;

namespace Serving.Model;

/// <summary>
/// Configuration keys without effect on what a model answers: about files, training, caches, or what the tokenizer says better.
/// </summary>
static class IgnoredKeys
{
    static readonly FrozenSet<string> Always = FrozenSet.Create(
        // about the file
        "architectures", "auto_map", "model_type", "dtype", "torch_dtype", "transformers_version", "_name_or_path", "_attn_implementation",
        // about training
        "initializer_range", "embedding_initializer_range", "attention_dropout", "hidden_dropout", "dropout", "classifier_dropout",
        "embd_pdrop", "resid_pdrop", "attn_pdrop", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
        "summary_use_proj", "output_router_logits", "router_aux_loss_coef", "router_jitter_noise", "aux_loss_alpha", "seq_aux", "ep_size",
        "layer_scale_init_value",
        // about precision and execution
        "use_cache", "cache_implementation", "pretraining_tp", "attention_softmax_in_fp32", "scale_attention_softmax_in_fp32",
        "reorder_and_upcast_attn", "output_attentions", "output_hidden_states", "return_dict",
        // stop ids are the business of the text sources; the others never enter a forward
        "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "eod_token_id", "unk_token_id",
        // derived from other keys, or known to say the wrong thing beside layer_types and no_rope_layers
        "qk_head_dim", "_shared_width", "_dense_width", "_sliding_window_pattern", "no_rope_layer_interval");

    // Without effect only at the value that turns them off, or that is built in.
    static readonly FrozenDictionary<string, string> AtValue = new Dictionary<string, string>
    {
        ["use_bidirectional_attention"] = "false",
        ["add_cross_attention"] = "false",
        ["is_decoder"] = "false",
        ["is_encoder_decoder"] = "false",
        ["scale_attn_weights"] = "true",
        ["scale_attn_by_inverse_layer_idx"] = "false",
        ["clamp_temp"] = "false",
        ["num_nextn_predict_layers"] = "0",
        ["moe_layer_freq"] = "1",
    }.ToFrozenDictionary();

    /// <summary>Whether a key with this value may stay unread. Null asks for nothing, whatever the key.</summary>
    public static bool Covers(string key, JsonElement value) =>
        value.ValueKind == JsonValueKind.Null
        || Always.Contains(key)
        || (AtValue.TryGetValue(key, out var off) && value.GetRawText() == off);
}
