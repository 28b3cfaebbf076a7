using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>
/// The decoder of cross-layer attention's authors (lm-engine, arXiv 2405.12981): attention and its projection of keys and values norm the
/// same rows, each for itself; rows of a fused product alternate between gate and linear part.
/// </summary>
public sealed class GptCrossLayer : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["gpt_crosslayer"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var config = source.Config;
        config.OneOf("normalization_function", "rmsnorm");
        config.OneOf("position_embedding_type", "rope");
        // Each layer says its own.
        config.Ignore("intermediate_size", "num_attention_heads", "num_key_value_heads");
        source = source with { Root = "transformer.", LayerList = "h", Names = new("wte", "ln_f"), FixedEpsilon = config.Float("layer_norm_eps") };
        return source.Decoder(layer =>
        {
            var mixer = Block(config, "sequence_mixer_blocks", layer);
            mixer.OneOf("sequence_mixer_type", "softmax_attention");
            return
            [
                source.Attention(layer, a => a with
                {
                    Prefix = source.Prefix(layer),
                    Heads = mixer.Int("num_attention_heads"),
                    Groups = mixer.Int("num_key_value_heads"),
                }) with { Before = null },
                source.FeedForward(layer, Network(source, layer)) with { Before = source.Norm($"{source.Prefix(layer)}ln_2") },
            ];
        });
    }

    static DenseFeedForward Network(ModelSource source, int layer)
    {
        var (block, prefix) = (Block(source.Config, "mlp_blocks", layer), $"{source.Prefix(layer)}mlp_block.");
        block.OneOf("mlp_type", "MLP");
        block.OneOf("activation_function", "swiglu");
        var width = block.Int("intermediate_size");
        var gate = source.Linear($"{prefix}c_fc", width, source.HiddenSize) with { Of = 2 * width, Parts = width };
        return new(gate, gate with { First = 1 }, source.Linear($"{prefix}c_proj", source.HiddenSize, width), Activation.Silu);
    }

    static ModelConfig Block(ModelConfig config, string key, int layer)
    {
        var block = config.Objects(key)?.ElementAtOrDefault(layer) ?? throw config.Wrong(key, "a list", $"an object for every layer, also for layer {layer}");
        // A bias is used exactly when its tensor is there.
        block.Ignore("add_bias");
        return block;
    }
}
