using System.Collections.Immutable;

namespace Serving.Model.Types;

/// <summary>Youtu-LLM: latent attention and dense feed-forward networks.</summary>
public sealed class Youtu : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["youtu"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source) =>
        source.Decoder(layer => [source.Attention(layer, source.Latent), source.FeedForward(layer)]);
}
