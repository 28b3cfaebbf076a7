using System.Collections.Immutable;

namespace Serving.Model.Types;

/// <summary>Granite: Llama with factors on embeddings, scores, residual branches and logits.</summary>
public sealed class Granite : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["granite"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var config = source.Config;
        source = source with { ResidualScale = config.Float("residual_multiplier", 1) };
        var scale = config.Float("attention_multiplier", 1);
        return source.Decoder(layer => [source.Attention(layer, a => a with { Scale = scale }), source.FeedForward(layer)]) with
        {
            EmbeddingScale = config.Float("embedding_multiplier", 1),
            LogitScale = 1 / config.Float("logits_scaling", 1),
        };
    }
}
