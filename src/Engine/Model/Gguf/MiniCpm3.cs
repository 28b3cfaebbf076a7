namespace Serving.Model.Gguf;

/// <summary>MiniCPM3: latent attention; its factors are those of the published model, which files do not hold.</summary>
static class MiniCpm3
{
    public static GgufArchitecture Architecture { get; } = new("minicpm3", "minicpm3")
    {
        Keys = Names.DecoderKeys.With(
            ("attention.q_lora_rank", "q_lora_rank"),
            ("attention.kv_lora_rank", "kv_lora_rank"),
            ("rope.dimension_count", "qk_rope_head_dim")),
        LayerTensors = [.. Names.GatedLayerTensors, .. Names.LatentTensors],
        Facts = [("hidden_act", "\"silu\""), ("scale_emb", "12"), ("scale_depth", "1.4"), ("dim_model_base", "256")],
    };
}
