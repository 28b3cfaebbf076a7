namespace Serving.Model.Gguf;

/// <summary>Phi-3: queries, keys and values in one matrix, gate and up in another.</summary>
static class Phi3
{
    public static GgufArchitecture Architecture { get; } = new("phi3", "phi3")
    {
        LayerTensors = Names.GatedLayerTensors.With(
            ("attn_qkv", "self_attn.qkv_proj"),
            ("attn_output", "self_attn.o_proj"),
            ("ffn_gate", ""),
            ("ffn_up", "mlp.gate_up_proj")),
        Facts = [("hidden_act", "\"silu\"")],
    };
}
