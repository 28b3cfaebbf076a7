namespace Serving.Model.Gguf;

/// <summary>Llama and the models that are stored as it. Its query and key rows are ordered so that rotary pairs are neighbours.</summary>
static class Llama
{
    public static GgufArchitecture Architecture { get; } = new("llama", "llama")
    {
        Keys = Names.DecoderKeys.With(
            ("expert_count", "num_local_experts"),
            ("expert_used_count", "num_experts_per_tok")),
        LayerTensors = [.. Names.GatedLayerTensors, .. Names.AttentionTensors],
        Facts = [("hidden_act", "\"silu\""), ("rope_interleave", "true")],
        Presences = [("attention_bias", "attn_q.bias"), ("mlp_bias", "ffn_up.bias")],
    };
}
