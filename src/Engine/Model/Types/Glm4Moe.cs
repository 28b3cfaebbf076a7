using System.Collections.Immutable;

namespace Serving.Model.Types;

/// <summary>GLM-4.5 (arXiv 2508.06471): grouped heads of which a part turns; after the first dense layers, the experts of DeepSeek-V3.</summary>
public sealed class Glm4Moe : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["glm4_moe"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var config = source.Config;
        source.AgreeOn("use_qk_norm", "*self_attn.q_norm.*");
        var dense = config.Int("first_k_dense_replace");
        source.IgnorePredictionLayers();
        return source.Decoder(layer =>
        [
            source.Attention(layer),
            layer < dense ? source.FeedForward(layer) : source.FeedForward(layer, DeepseekV3.Experts(source, layer)),
        ]);
    }
}
