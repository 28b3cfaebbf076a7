using System.Collections.Immutable;

namespace Serving.Model.Types;

/// <summary>The text part of Qwen2.5-VL (arXiv 2502.13923). The three parts of a text token's place are equal: its position.</summary>
public sealed class Qwen25Vl : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["qwen2_5_vl"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var config = source.Config;
        config.Ignore("vision_config", "vision_token_id");
        source.Tensors.Ignore("visual.*", "images are not served");
        ImmutableArray<int> images = Ids("image_token_id", "vision_start_token_id", "vision_end_token_id");
        var text = source with { Config = config.TextPart, ImageIds = config.Ints("image_token_ids") is { } listed ? [.. listed] : images };
        var plan = text.Decoder(layer => [text.Attention(layer), text.FeedForward(layer)]);
        plan = plan with { ImageIds = [.. plan.ImageIds, .. Ids("video_token_id")] };
        // A nested text part leaves it to the whole.
        return source.Config.Bool("tie_word_embeddings", false) ? plan with { Head = plan.Embedding } : plan;

        ImmutableArray<int> Ids(params IEnumerable<string> keys) => [.. keys.Select(config.IntOrNull).OfType<int>()];
    }
}
