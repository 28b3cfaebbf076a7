namespace Serving.Model.Gguf;

/// <summary>GLM-4.5: grouped heads of which a part turns, in halves; experts by sigmoid scores after the first dense layers.</summary>
static class Glm4Moe
{
    public static GgufArchitecture Architecture { get; } = new("glm4moe", "glm4_moe")
    {
        Keys = Names.DecoderKeys.With([.. Names.ExpertKeys]),
        LayerTensors =
        [
            .. Names.GatedLayerTensors.With(("ffn_norm", ""), ("post_attention_norm", "post_attention_layernorm")),
            .. Names.AttentionTensors,
            .. Names.HeadNorms,
            .. Names.ExpertTensors,
            .. Names.PredictionTensors,
        ],
        // Files say how many dimensions turn.
        Facts = [("hidden_act", "\"silu\""), ("partial_rotary_factor", "1"), ("norm_topk_prob", "true")],
        VariantKey = "expert_gating_func",
        Variants = [("2", "glm4_moe")],
    };
}
