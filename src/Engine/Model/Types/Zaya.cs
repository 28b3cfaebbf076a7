using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Types;

/// <summary>
/// ZAYA1 (Zyphra; transformers' zaya): compressed convolutional attention; one expert a token, or none, by a router of three layers that
/// reads its own hidden row of the layer before as well; and factors and biases for every channel wherever a block meets the stream.
/// </summary>
public sealed class Zaya : IModelType
{
    const string RouterRow = "router";

    /// <inheritdoc/>
    public ImmutableArray<string> Names => ["zaya"];

    /// <inheritdoc/>
    public ModelPlan Plan(ModelSource source)
    {
        // The convolutions have biases whatever the key says.
        source = source with { AttentionBiases = "*self_attn.o_proj.bias" };
        source.AgreeOn("lm_head_bias", "lm_head.bias");
        var plan = source.Decoder(layer =>
        [
            source.Attention(layer) with { Channels = Channels(source, $"{source.Prefix(layer)}post_attention_residual_scale.") },
            source.FeedForward(layer, Experts(source, layer)) with { Channels = Channels(source, $"{source.Prefix(layer)}post_mlp_residual_scale.") },
        ]);
        return plan with
        {
            EmbeddingChannels = Weigh(source, $"{source.Root}input_hidden_states"),
            HeadBias = source.Tensors.Has("lm_head.bias") ? "lm_head.bias" : null,
        };
    }

    static ChannelWeights Channels(ModelSource source, string prefix) => new(Weigh(source, $"{prefix}residual"), Weigh(source, $"{prefix}hidden_states"));

    /// <summary>(x + bias) * scale for every channel.</summary>
    static Step.Convolve Weigh(ModelSource source, string name)
    {
        MadeMatrix scale = new MadeMatrix.Stored($"{name}_scale", [source.HiddenSize]);
        return new(scale, 1, 1) { Bias = new MadeMatrix.Values(scale, new MadeMatrix.Stored($"{name}_bias", [source.HiddenSize])) };
    }

    static RoutedFeedForward Experts(ModelSource source, int layer)
    {
        var (config, hidden, prefix) = (source.Config, source.HiddenSize, $"{source.Prefix(layer)}mlp.");
        var (width, experts) = (config.Int("moe_intermediate_size"), config.Int("num_experts"));
        var gate = new Step.Linear($"{prefix}experts.gate_up_proj", width, hidden) { Of = 2 * width };
        // The number past the experts skips them.
        return new(
            source.Linear($"{prefix}gate.router_mlp.out_proj", experts + 1, config.Int("router_hidden_size")),
            new(experts + 1, config.Int("num_experts_per_tok", 1), RouterScore.Softmax),
            new(gate, gate with { First = width }, new Step.Linear($"{prefix}experts.down_proj", hidden, width), source.Activation))
        {
            RouterInput = RouterInput(source, $"{prefix}gate."),
            Experts = experts,
            Skips = true,
            ChoiceBias = $"{prefix}gate.balancing_biases",
        };
    }

    static Projection RouterInput(ModelSource source, string prefix)
    {
        var (width, scale) = (source.Config.Int("router_hidden_size"), $"{prefix}router_states_scale");
        var before = !source.Tensors.Has(scale) ? null
            : Projection.Of(new Step.Carried(RouterRow), new Step.Convolve(new MadeMatrix.Stored(scale, [width]), 1, 1));
        return Projection.Of(
            source.Linear($"{prefix}down_proj", width, source.HiddenSize),
            before is null ? null : new Step.Sum([Projection.Of(), before]),
            new Step.Carry(RouterRow, width),
            new Step.Normalize(NormKind.RootMeanSquare, width, source.Epsilon, $"{prefix}router_mlp.norm.weight"),
            source.Linear($"{prefix}router_mlp.fc1", width, width), new Step.Activate(Activation.Gelu),
            source.Linear($"{prefix}router_mlp.fc2", width, width), new Step.Activate(Activation.Gelu));
    }
}
