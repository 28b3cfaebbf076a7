namespace Serving.Model.Gguf;

/// <summary>gpt-oss: experts as stacks of their own with biases, a sink a head, YaRN whose ramp is not rounded.</summary>
static class GptOss
{
    public static GgufArchitecture Architecture { get; } = new("gpt-oss", "gpt_oss")
    {
        Keys = Names.DecoderKeys.With(
            ("feed_forward_length", "_dense_width"),
            ("expert_feed_forward_length", "intermediate_size"),
            ("expert_count", "num_experts"),
            ("expert_used_count", "num_experts_per_tok")),
        LayerTensors =
        [
            ("attn_norm", "input_layernorm"),
            ("post_attention_norm", "post_attention_layernorm"),
            .. Names.AttentionTensors,
            ("attn_sinks.weight", "self_attn.sinks"),
            ("ffn_gate_inp", "mlp.router"),
            ("ffn_gate_exps", "mlp.experts.gate_proj"),
            ("ffn_up_exps", "mlp.experts.up_proj"),
            ("ffn_down_exps", "mlp.experts.down_proj"),
        ],
        Facts = [("rope_scaling.truncate", "false")],
    };
}
