using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>RxLM's experimental decoder: fused gates, biases on products and head, and no norm before the head unless it is asked for.</summary>
static class RxLm
{
    /// <summary>The embedding, whose name tells this decoder from Llama's.</summary>
    public const string Embedding = "model.embedding.weight";

    /// <summary>The model as data.</summary>
    public static ModelPlan Plan(ModelSource source)
    {
        var (config, width) = (source.Config, source.Config.Int("intermediate_size"));
        Require(config, "use_gated", true);
        Require(config, "use_rms_norm", true);
        Require(config, "use_moe_ff", false);
        source.Tensors.Ignore("*.rope.inv_freq", "frequencies follow from the configuration");
        source.Tensors.Ignore("*.rope.cache", "angles follow from the configuration");
        source = source with { Names = new("embedding", "head_norm", "model.head") };
        var rope = config.Rope(absentTheta: 10000) with { Interleaved = true };
        var plan = source.Decoder(layer =>
        {
            var prefix = source.Prefix(layer);
            var up = source.Linear($"{prefix}ff.fc1.linear", width, source.HiddenSize) with { Of = 2 * width };
            var network = new DenseFeedForward(up with { First = width }, up, source.Linear($"{prefix}ff.fc2", source.HiddenSize, width), source.Activation);
            return
            [
                source.Attention(layer, a => a with { Prefix = $"{prefix}attention.", Rotary = rope.Plan }) with { Before = source.Norm($"{prefix}norm1") },
                source.FeedForward(layer, network) with { Before = source.Norm($"{prefix}norm2") },
            ];
        });
        return plan with
        {
            FinalNorm = !config.Bool("use_head_norm", false) ? null
                : new Step.Normalize(NormKind.Layer, source.HiddenSize, 1e-5f, "model.head_norm.weight") { Bias = "model.head_norm.bias" },
            HeadBias = source.Tensors.Has("model.head.bias") ? "model.head.bias" : null,
        };
    }

    static void Require(ModelConfig config, string key, bool value)
    {
        if (config.Bool(key, value) != value) throw config.Wrong(key, $"{!value}", $"{value}");
    }
}
