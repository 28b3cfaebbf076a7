using System.Collections.Immutable;

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
        ("rope.dimension_count", "rope_dimensions"),
        ("rope.freq_base", "rope_theta"),
        ("rope.scaling.type", "rope_scaling.rope_type"),
        ("rope.scaling.factor", "rope_scaling.factor"),
        ("rope.scaling.original_context_length", "rope_scaling.original_max_position_embeddings"),
        ("rope.scaling.attn_factor", "rope_scaling.attention_factor"),
        ("rope.scaling.finetuned", "rope_scaling.finetuned"),
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

    /// <summary>Query, key, value and output projections.</summary>
    public static ImmutableArray<(string Gguf, string Tensor)> AttentionTensors { get; } =
    [
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.o_proj"),
    ];

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
