using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>
/// LongCat-Flash (arXiv 2509.01322): each layer has two attentions and two dense networks, and experts beside the second half of it,
/// some of which are the identity.
/// </summary>
public sealed class LongcatFlash : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["longcat_flash"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        IgnoreIdentities(source);
        return source.Decoder(layer =>
        [
            Attention(source, layer, 0),
            Network(source, layer, 0, Experts(source, layer)) with { AddsAfter = 3 },
            Network(source, layer, 0, Dense(source, layer, 0)),
            Attention(source, layer, 1),
            Network(source, layer, 1, Dense(source, layer, 1)),
        ]);
    }

    static AttentionBlock Attention(ModelSource source, int layer, int half)
    {
        var (config, prefix) = (source.Config, source.Prefix(layer));
        Step.Multiply Root(string rank) => new(MathF.Sqrt((float)source.HiddenSize / config.Int(rank)));
        return source.Attention(layer, a => source.Latent(a) with
        {
            Prefix = $"{prefix}self_attn.{half}.",
            QueryEnd = config.IntOrNull("q_lora_rank") is null ? null : Root("q_lora_rank"),
            LatentEnd = Root("kv_lora_rank"),
        }) with { Before = source.Norm($"{prefix}input_layernorm.{half}") };
    }

    static FeedForwardBlock Network(ModelSource source, int layer, int half, FeedForwardPlan plan) =>
        new(plan) { Before = source.Norm($"{source.Prefix(layer)}post_attention_layernorm.{half}") };

    static DenseFeedForward Dense(ModelSource source, int layer, int half) =>
        source.Dense($"{source.Prefix(layer)}mlps.{half}.", source.Config.Int("ffn_hidden_size"));

    static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, prefix, experts) = (source.Config, $"{source.Prefix(layer)}mlp.", source.Config.Int("num_experts"));
        if (config.Has("zero_expert_type")) config.OneOf("zero_expert_type", "identity");
        var rule = new RoutingRule(experts + config.Int("zero_expert_num", 0), config.Int("num_experts_per_tok"), RouterScore.Softmax)
        {
            Scale = config.Float("routed_scaling_factor", 1),
        };
        return new(source.Linear($"{prefix}router.classifier", rule.Experts, source.HiddenSize), rule,
            source.Dense($"{prefix}experts.{{0}}.", config.Int("moe_intermediate_size")))
        {
            Experts = experts,
            ChoiceBias = $"{prefix}router.e_score_correction_bias",
        };
    }

    static void IgnoreIdentities(ModelSource source)
    {
        var experts = source.Config.Int("num_experts");
        for (var zero = experts; zero < experts + source.Config.Int("zero_expert_num", 0); zero++)
            source.Tensors.Ignore($"*.mlp.experts.{zero}.*", "the identity has no weights");
    }
}
