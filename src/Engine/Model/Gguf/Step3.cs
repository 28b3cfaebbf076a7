namespace Serving.Model.Gguf;

/// <summary>Step-3's dense text decoder: a query through a shared low rank, one wide key and value head, rotary halves.</summary>
static class Step3
{
    public static GgufArchitecture Architecture { get; } = new("step3", "step3_text")
    {
        Keys = Names.DecoderKeys.With(
            ("attention.head_count_kv", "num_attention_groups"),
            ("attention.q_lora_rank", "share_q_dim")),
        LayerTensors = Names.GatedLayerTensors.With(
            ("attn_q_a", "self_attn.q_proj"),
            ("attn_q_a_norm", "self_attn.inter_norm"),
            ("attn_q_b", "self_attn.wq"),
            ("attn_k", "self_attn.k_proj"),
            ("attn_v", "self_attn.v_proj"),
            ("attn_output", "self_attn.o_proj")),
        Facts = [("hidden_act", "\"silu\""), ("moe_layers_enum", "\"\"")],
    };
}
