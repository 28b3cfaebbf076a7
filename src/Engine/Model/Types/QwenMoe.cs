using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>Qwen2-MoE and Qwen3-MoE: experts by softmax scores in some layers; the older one has a shared network behind a gate of its own.</summary>
public sealed class QwenMoe : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["qwen2_moe", "qwen3_moe"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var config = source.Config;
        source.AgreeOn("qkv_bias", "*self_attn.q_proj.bias");
        // The tensors say which layers have a router.
        config.Ignore("mlp_only_layers", "decoder_sparse_step");
        if (Enumerable.Range(0, source.Layers).All(Sparse)) config.Ignore("intermediate_size");
        bool Sparse(int layer) => source.Tensors.Has($"{source.Prefix(layer)}mlp.gate.weight");
        return source.Decoder(layer =>
        [
            source.Attention(layer),
            Sparse(layer) ? source.FeedForward(layer, Experts(source, layer)) : source.FeedForward(layer),
        ]);
    }

    static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, prefix) = (source.Config, $"{source.Prefix(layer)}mlp.");
        var rule = new RoutingRule(config.Int("num_experts"), config.Int("num_experts_per_tok"), RouterScore.Softmax)
        {
            Renormalize = config.Bool("norm_topk_prob", false),
        };
        var plan = source.Experts(prefix, rule, config.Int("moe_intermediate_size"));
        return !source.Tensors.Has($"{prefix}shared_expert_gate.weight") ? plan : plan with
        {
            Shared = source.Dense($"{prefix}shared_expert.", config.Int("shared_expert_intermediate_size")),
            SharedGate = source.Linear($"{prefix}shared_expert_gate", 1, source.HiddenSize),
        };
    }
}
