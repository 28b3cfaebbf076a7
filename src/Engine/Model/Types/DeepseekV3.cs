using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>
/// DeepSeek-V3 (arXiv 2412.19437) and GLM-4 MoE Lite: latent attention; after the first dense layers, experts by sigmoid scores with a
/// bias for the choice alone, in groups ranked by their two best.
/// </summary>
public sealed class DeepseekV3 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["deepseek_v3", "glm4_moe_lite"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var dense = DenseLayers(source);
        source.IgnorePredictionLayers();
        if (Enumerable.Range(0, source.Layers).All(dense)) source.IgnoreExperts();
        return source.Decoder(layer =>
        [
            source.Attention(layer, source.Latent),
            dense(layer) ? source.FeedForward(layer) : source.FeedForward(layer, Experts(source, layer)),
        ]);
    }

    static Func<int, bool> DenseLayers(ModelSource source)
    {
        var config = source.Config;
        if (config.ModelType == "deepseek_v3")
        {
            var dense = config.Int("first_k_dense_replace");
            return layer => layer < dense;
        }
        // Without the list the published implementation makes layer 0 dense, whatever first_k_dense_replace says.
        config.Ignore("first_k_dense_replace");
        var types = config.Texts("mlp_layer_types");
        return layer => types is null ? layer == 0 : types.ElementAtOrDefault(layer) == "dense";
    }

    /// <summary>Experts of a layer, which other types share.</summary>
    internal static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, prefix, width) = (source.Config, $"{source.Prefix(layer)}mlp.", source.Config.Int("moe_intermediate_size"));
        if (config.Has("scoring_func")) config.OneOf("scoring_func", "sigmoid");
        config.Ignore("topk_method");
        var rule = new RoutingRule(config.Int("num_experts"), config.Int("num_experts_per_tok"), RouterScore.Sigmoid)
        {
            Groups = config.Int("n_group", 1),
            KeptGroups = config.Int("topk_group", 1),
            Rank = GroupRank.TwoBest,
            Renormalize = config.Bool("norm_topk_prob"),
            Scale = config.Float("routed_scaling_factor"),
        };
        var shared = config.Int("n_shared_experts", 0);
        return source.Experts(prefix, rule, width) with
        {
            ChoiceBias = $"{prefix}gate.e_score_correction_bias",
            Shared = shared == 0 ? null : source.Dense($"{prefix}shared_experts.", width * shared),
        };
    }
}
