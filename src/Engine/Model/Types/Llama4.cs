using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>
/// The text part of Llama 4: chunked layers that turn, normed without factors after that; full layers that do not turn, whose queries
/// grow with the position; in some layers experts that weigh their input, beside a shared network.
/// </summary>
public sealed class Llama4 : IModelType
{
    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["llama4_text"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        var config = source.Config;
        var (turns, interval) = (config.Ints("no_rope_layers") ?? [], config.Int("no_rope_layer_interval", 4));
        var normed = config.Bool("use_qk_norm");
        var grown = new Step.MultiplyByPosition(new(config.Float("attn_scale", 0.1f), config.Float("floor_scale", 8192), Offset: 1));
        var grows = config.Bool("attn_temperature_tuning");
        // In spite of its name, an entry of 1 says that the layer does turn.
        bool Turns(int layer) => (turns.Length > layer ? turns[layer] : (layer + 1) % interval) != 0;
        var sparse = SparseLayers(config);
        return source.Decoder(layer =>
        [
            source.Attention(layer, a => Turns(layer)
                ? a with { NormsAfterTurn = true, PlainNorms = normed }
                : a with { Rotary = null, QueryEnd = grows ? grown : null }),
            source.FeedForward(layer, sparse.Contains(layer)
                ? Experts(source, layer)
                : source.Dense($"{source.Prefix(layer)}feed_forward.", config.Int("intermediate_size_mlp"))),
        ]);
    }

    static HashSet<int> SparseLayers(ModelConfig config)
    {
        var step = config.Int("interleave_moe_layer_step");
        return [.. config.Ints("moe_layers") ?? Enumerable.Range(1, config.LayerTypes().Count).Where(n => step > 0 && n % step == 0).Select(n => n - 1)];
    }

    static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, prefix, hidden) = (source.Config, $"{source.Prefix(layer)}feed_forward.", source.HiddenSize);
        var width = config.Int("intermediate_size");
        var rule = new RoutingRule(config.Int("num_experts"), config.Int("num_experts_per_tok"), RouterScore.Sigmoid);
        var gate = new Step.Linear($"{prefix}experts.gate_up_proj", width, hidden) { Of = 2 * width, Transposed = true };
        var down = new Step.Linear($"{prefix}experts.down_proj", hidden, width) { Transposed = true };
        var expert = new DenseFeedForward(gate, gate with { First = width }, down, source.Activation);
        return new(source.Linear($"{prefix}router", rule.Experts, hidden), rule, expert)
        {
            Experts = rule.Experts,
            WeighsInput = true,
            Shared = source.Dense($"{prefix}shared_expert.", width),
        };
    }
}
