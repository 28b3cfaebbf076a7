using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>Mistral 4: latent attention whose queries grow with the position; stacked experts by softmax scores, in groups ranked by their two best.</summary>
public sealed class Mistral4 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["mistral4"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var (dense, rope) = (source.Config.Int("first_k_dense_replace", 0), source.Config.Rope());
        var grown = rope.QueryScaleBeta == 0 ? null : new Step.MultiplyByPosition(new(rope.QueryScaleBeta, rope.OriginalPositions));
        return source.Decoder(layer =>
        [
            source.Attention(layer, a => source.Latent(a) with { QueryEnd = grown }),
            layer < dense ? source.FeedForward(layer) : source.FeedForward(layer, Experts(source, layer)),
        ]);
    }

    static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, prefix, width) = (source.Config, $"{source.Prefix(layer)}mlp.", source.Config.Int("moe_intermediate_size"));
        var rule = new RoutingRule(config.Int("num_experts"), config.Int("num_experts_per_tok"), RouterScore.Softmax)
        {
            Groups = config.Int("n_group", 1),
            KeptGroups = config.Int("topk_group", 1),
            Rank = GroupRank.TwoBest,
            Renormalize = config.Bool("norm_topk_prob", true),
            Scale = config.Float("routed_scaling_factor", 1),
        };
        var gate = new Step.Linear($"{prefix}experts.gate_up_proj", width, source.HiddenSize) { Of = 2 * width };
        var expert = new DenseFeedForward(
            gate, gate with { First = width }, new($"{prefix}experts.down_proj", source.HiddenSize, width), source.Activation);
        var shared = config.Int("n_shared_experts", 0);
        return new(source.Linear($"{prefix}gate", rule.Experts, source.HiddenSize), rule, expert)
        {
            Experts = rule.Experts,
            Shared = shared == 0 ? null : source.Dense($"{prefix}shared_experts.", width * shared),
        };
    }
}
