namespace Serving.Model.Gguf;

/// <summary>Gemma 2 and Gemma 3: factors of norms are stored whole, not as w of 1 + w; scores are scaled by the width of a head.</summary>
static class Gemma
{
    public static GgufArchitecture Two { get; } = new("gemma2", "gemma2")
    {
        Keys = Names.DecoderKeys.With(
            ("attn_logit_softcapping", "attn_logit_softcapping"),
            ("final_logit_softcapping", "final_logit_softcapping")),
        LayerTensors =
        [
            .. Names.GatedLayerTensors.With(
                ("post_attention_norm", "post_attention_layernorm"),
                ("ffn_norm", "pre_feedforward_layernorm"),
                ("post_ffw_norm", "post_feedforward_layernorm")),
            .. Names.AttentionTensors,
        ],
        Facts = [("hidden_act", "\"gelu_pytorch_tanh\""), ("norm_offset", "0")],
        Copies = [("query_pre_attn_scalar", "head_dim")],
        // The published model of 27 billion parameters: hidden size over heads instead.
        Exceptions = [("46", "query_pre_attn_scalar", "144")],
    };

    public static GgufArchitecture Three { get; } = Two with
    {
        Name = "gemma3",
        ModelType = "gemma3_text",
        Keys = Two.Keys.With(("attn_logit_softcapping", ""), ("rope.freq_base_swa", "rope_local_base_freq")),
        LayerTensors = [.. Two.LayerTensors, .. Names.HeadNorms],
        Facts = [.. Two.Facts, ("sliding_window", "null")],
        Exceptions = [("62", "query_pre_attn_scalar", "168")],
    };
}
