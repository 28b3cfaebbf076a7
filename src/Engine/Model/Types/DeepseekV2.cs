using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>
/// DeepSeek-V2 (arXiv 2405.04434): latent attention; after the first dense layers, experts chosen by softmax scores, in groups ranked
/// by their best expert, never renormalised.
/// </summary>
public sealed class DeepseekV2 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["deepseek_v2"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var config = source.Config;
        // The published implementation ignores it.
        config.Ignore("norm_topk_prob");
        var dense = config.Int("first_k_dense_replace", 0);
        if (dense >= source.Layers) source.IgnoreExperts();
        return source.Decoder(layer =>
        [
            source.Attention(layer, source.Latent),
            layer < dense ? source.FeedForward(layer) : source.FeedForward(layer, Experts(source, layer)),
        ]);
    }

    static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, prefix, experts) = (source.Config, $"model.layers.{layer}.mlp.", source.Config.Int("num_experts"));
        if (config.Has("scoring_func")) config.OneOf("scoring_func", "softmax");
        var width = config.Int("moe_intermediate_size");
        var grouped = config.Text("topk_method", "greedy") == "group_limited_greedy";
        var shared = config.Int("n_shared_experts", 0);
        var rule = new RoutingRule(experts, config.Int("num_experts_per_tok"), RouterScore.Softmax)
        {
            Groups = grouped ? config.Int("n_group", 1) : 1,
            KeptGroups = grouped ? config.Int("topk_group", 1) : 1,
            Scale = config.Float("routed_scaling_factor", 1),
        };
        if (!grouped) config.Ignore("n_group", "topk_group");
        return source.Experts(prefix, rule, width) with
        {
            Shared = shared == 0 ? null : source.Dense($"{prefix}shared_experts.", width * shared),
        };
    }
}
