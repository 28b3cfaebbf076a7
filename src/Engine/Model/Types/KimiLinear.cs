using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>
/// Kimi Linear (arXiv 2510.26692): most layers keep a state by the delta rule, the others have latent attention without rotation; after
/// the first dense layers, experts by sigmoid scores with a bias for the choice alone.
/// </summary>
public sealed class KimiLinear : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["kimi_linear"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var config = source.Config;
        // Lists of both kinds of layers; one says the other.
        config.ObjectOrNull("linear_attn_config")?.Ignore("kda_layers", "full_attn_layers");
        var (types, dense) = (config.Texts("mlp_layer_types"), config.Int("first_k_dense_replace", 0));
        config.Ignore("num_key_value_heads", "head_dim", "linear_head_dim", "linear_num_heads", "linear_conv_kernel_dim");
        return source.Decoder(layer =>
        [
            source.Attention(layer, a => a with { Rotary = null }),
            source.FeedForward(layer, (types is null ? layer < dense : types.ElementAtOrDefault(layer) == "dense")
                ? source.Dense($"{source.Prefix(layer)}block_sparse_moe.", config.Int("intermediate_size"))
                : Experts(source, layer)),
        ]);
    }

    static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, prefix, hidden) = (source.Config, $"{source.Prefix(layer)}block_sparse_moe.", source.HiddenSize);
        var width = config.Int("moe_intermediate_size");
        if (config.Has("moe_router_activation_func")) config.OneOf("moe_router_activation_func", "sigmoid");
        var rule = new RoutingRule(config.Int("num_experts"), config.Int("num_experts_per_tok"), RouterScore.Sigmoid)
        {
            Groups = config.Int("n_group", 1),
            KeptGroups = config.Int("topk_group", 1),
            Rank = GroupRank.TwoBest,
            Renormalize = config.Bool("norm_topk_prob"),
            Scale = config.Float("routed_scaling_factor"),
        };
        Step.Linear Part(string name, int outputs, int inputs) => new($"{prefix}experts.{{0}}.{name}.weight", outputs, inputs);
        var shared = config.Int("n_shared_experts", 0);
        return new(source.Linear($"{prefix}gate", rule.Experts, hidden), rule,
            new(Part("w1", width, hidden), Part("w3", width, hidden), Part("w2", hidden, width), source.Activation))
        {
            Experts = rule.Experts,
            ChoiceBias = $"{prefix}gate.e_score_correction_bias",
            Shared = shared == 0 ? null : source.Dense($"{prefix}shared_experts.", width * shared),
        };
    }
}
