using System.Collections.Immutable;
using System.Globalization;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>
/// The text part of Step-3.7 (Step-3.5): a sigmoid gate a head, more query heads where the window slides, norms of 1 + w,
/// stacked experts by sigmoid scores, bounded gates in some layers.
/// </summary>
public sealed class Step3p7 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["step3p7"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        source.Config.Ignore("vision_config", "image_token_id", "projector_bias");
        source.Tensors.Ignore("vision_model.*", "images are not served");
        source.Tensors.Ignore("vit_large_projector.*", "images are not served");
        source = source with { Config = source.Config.TextPart, NormOffset = 1 };
        var (config, sparse) = (source.Config, SparseLayers(source.Config));
        // The published implementation always uses silu.
        config.Ignore("hidden_act", "query_pre_attn_scalar", "mtp_layer_types", "mtp_mlp_layer_types", "per_layer_config");
        source.IgnorePredictionLayers();
        var sliding = SlidingHeads(config);
        var types = config.LayerTypes();
        return source.Decoder(layer =>
        [
            source.Attention(layer, a => types[layer] == LayerType.Sliding ? a with { Heads = sliding.Heads, Groups = sliding.Groups } : a),
            source.FeedForward(layer, sparse.Contains(layer)
                ? Experts(source, layer)
                : Bounded(source.Dense($"{source.Prefix(layer)}mlp.", config.Int("intermediate_size")), config, "swiglu_limits_shared", layer)),
        ]);
    }

    static HashSet<int> SparseLayers(ModelConfig config)
    {
        var types = config.Texts("mlp_layer_types");
        if (config.TextOrNull("moe_layers_enum") is not { } list)
            return [.. Enumerable.Range(0, config.LayerTypes().Count)
                .Where(layer => types is null ? layer > 0 : types.ElementAtOrDefault(layer) == "sparse")];
        return
        [
            .. list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Select(number => int.TryParse(number, CultureInfo.InvariantCulture, out var layer)
                    ? layer
                    : throw config.Wrong("moe_layers_enum", $"\"{list}\"", "numbers of layers with commas between them")),
        ];
    }

    static (int Heads, int Groups) SlidingHeads(ModelConfig config)
    {
        if (config.ObjectOrNull("attention_other_setting") is not { } other)
            return (config.Int("num_sliding_attention_heads", config.Int("num_attention_heads")), config.Int("num_key_value_heads"));
        other.OneOf("attention_type", LayerType.Sliding);
        return (other.Int("num_attention_heads"), other.Int("num_key_value_heads"));
    }

    static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, prefix) = (source.Config, $"{source.Prefix(layer)}moe.");
        var rule = new RoutingRule(config.Int("num_experts"), config.Int("num_experts_per_tok"), RouterScore.Sigmoid)
        {
            Renormalize = true,
            Scale = config.Float("moe_router_scaling_factor", 1),
        };
        var expert = Bounded(source.Dense(prefix, config.Int("moe_intermediate_size")), config, "swiglu_limits", layer);
        return new(source.Linear($"{prefix}gate", rule.Experts, source.HiddenSize), rule, expert)
        {
            Experts = rule.Experts,
            ChoiceBias = $"{prefix}router_bias",
            Shared = Bounded(
                source.Dense($"{source.Prefix(layer)}share_expert.", config.Int("share_expert_dim")), config, "swiglu_limits_shared", layer),
        };
    }

    static DenseFeedForward Bounded(DenseFeedForward plan, ModelConfig config, string key, int layer)
    {
        var limit = config.Floats(key)?.ElementAtOrDefault(layer) ?? 0;
        return plan with { Activation = new(Activation.Silu, ResultLimit: limit, UpLimit: limit) };
    }
}
