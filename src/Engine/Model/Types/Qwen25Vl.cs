using System.Collections.Immutable;

namespace Serving.Model.Types;

/// <summary>The text part of Qwen2.5-VL (arXiv 2502.13923). The three parts of a text token's position are equal, so its rotary embedding is the plain one.</summary>
public sealed class Qwen25Vl : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["qwen2_5_vl"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        source.Config.Ignore("vision_config", "image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id", "vision_token_id");
        source.Tensors.Ignore("visual.*", "images are not served");
        var text = source with { Config = source.Config.TextPart };
        var plan = text.Decoder(layer => [text.Attention(layer), text.FeedForward(layer)]);
        // A nested text part leaves it to the whole.
        return source.Config.Bool("tie_word_embeddings", false) ? plan with { Head = plan.Embedding } : plan;
    }
}
