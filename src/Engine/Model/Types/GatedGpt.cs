using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>
/// The decoder of arXiv 2603.02188, published as gpt2: Llama's blocks under GPT-2's names, a fixed epsilon and base, and latents scaled
/// up to the hidden width. Which attention it has, its tensors say.
/// </summary>
static class GatedGpt
{
    /// <summary>The model as data.</summary>
    public static ModelPlan Plan(ModelSource source)
    {
        var (config, width) = (source.Config, source.Config.Int("intermediate_size"));
        config.Ignore("attention_variant", "bias");
        source = source with { Root = "", LayerList = "transformer.h", Names = new("transformer.wte", "layernorm"), FixedEpsilon = 1e-6f };
        return source.Decoder(layer =>
        {
            var prefix = $"{source.Prefix(layer)}mlp.";
            return
            [
                source.Attention(layer, a => Adapt(source, a) with { Prefix = $"{source.Prefix(layer)}attn." }),
                source.FeedForward(layer, new DenseFeedForward(
                    source.Linear($"{prefix}c_fc1", width, source.HiddenSize), source.Linear($"{prefix}c_fc2", width, source.HiddenSize),
                    source.Linear($"{prefix}c_proj", source.HiddenSize, width), Activation.Silu)),
            ];
        });
    }

    static AttentionContext Adapt(ModelSource source, AttentionContext layer)
    {
        var rope = source.Config.Rope(absentTheta: 10000);
        layer = layer with { Rotary = rope.Plan };
        if (source.Config.IntOrNull("q_lora_rank") is not { } rank) return layer;
        return layer with
        {
            QueryEnd = Grown(source, rank),
            LatentEnd = Grown(source, source.Config.Int("kv_lora_rank")),
            ValueWidth = source.Config.Int("qk_nope_head_dim"),
        };
    }

    static Step.Multiply Grown(ModelSource source, int width) => new(MathF.Sqrt((float)source.HiddenSize / width));
}
