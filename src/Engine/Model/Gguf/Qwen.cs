namespace Serving.Model.Gguf;

/// <summary>Qwen2, Qwen3 and Qwen3 with experts; rotary pairs are halves.</summary>
static class Qwen
{
    public static GgufArchitecture Two { get; } = new("qwen2", "qwen2")
    {
        LayerTensors = [.. Names.GatedLayerTensors, .. Names.AttentionTensors],
        Facts = [("hidden_act", "\"silu\"")],
    };

    public static GgufArchitecture Three { get; } = Two with
    {
        Name = "qwen3",
        ModelType = "qwen3",
        LayerTensors = [.. Two.LayerTensors, .. Names.HeadNorms],
    };

    public static GgufArchitecture ThreeWithExperts { get; } = Three with
    {
        Name = "qwen3moe",
        ModelType = "qwen3_moe",
        Keys = Names.DecoderKeys.With([.. Names.ExpertKeys]),
        LayerTensors = [.. Three.LayerTensors, .. Names.ExpertTensors],
        Facts = [("hidden_act", "\"silu\""), ("norm_topk_prob", "true")],
    };
}
