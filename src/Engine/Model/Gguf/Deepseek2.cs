namespace Serving.Model.Gguf;

/// <summary>DeepSeek-V2 and, where experts are scored by sigmoids (function 2), DeepSeek-V3; rotary pairs are neighbours.</summary>
static class Deepseek2
{
    public static GgufArchitecture Architecture { get; } = new("deepseek2", "deepseek_v2")
    {
        Keys = Names.DecoderKeys.With(
        [
            .. Names.ExpertKeys,
            ("attention.q_lora_rank", "q_lora_rank"),
            ("attention.kv_lora_rank", "kv_lora_rank"),
            ("rope.dimension_count", "qk_rope_head_dim"),
            // The count of shared experts says it.
            ("expert_shared_feed_forward_length", "_shared_width"),
        ]),
        LayerTensors = [.. Names.GatedLayerTensors, .. Names.LatentTensors, .. Names.ExpertTensors, .. Names.PredictionTensors],
        Facts = [("hidden_act", "\"silu\""), ("topk_method", "\"group_limited_greedy\""), ("norm_topk_prob", "false")],
        VariantKey = "expert_gating_func",
        Variants = [("1", "deepseek_v2"), ("2", "deepseek_v3")],
    };
}
