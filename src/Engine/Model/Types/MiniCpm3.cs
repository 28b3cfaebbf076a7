using System.Collections.Immutable;

namespace Serving.Model.Types;

/// <summary>MiniCPM3: latent attention with half-split rotation, scaled embeddings, residual branches and head input (MiniCPM, arXiv 2404.06395).</summary>
public sealed class MiniCpm3 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["minicpm3"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var config = source.Config;
        source = source with { ResidualScale = config.Float("scale_depth", 1) / MathF.Sqrt(source.Layers) };
        var plan = source.Decoder(layer => [source.Attention(layer, source.Latent), source.FeedForward(layer)]);
        return plan with
        {
            EmbeddingScale = config.Float("scale_emb", 1),
            HeadInputScale = config.Float("dim_model_base", source.HiddenSize) / source.HiddenSize,
        };
    }
}
