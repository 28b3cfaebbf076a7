using System.Collections.Immutable;
using Serving.Attention;
using Serving.Attention.Families;
using Serving.Devices;

namespace Serving.Model;

/// <summary>Names of the tensors outside the layers, without the ending .weight; the first two follow the root.</summary>
public sealed record OuterNames(string Embedding = "embed_tokens", string FinalNorm = "norm", string Head = "lm_head");

/// <summary>
/// A checkpoint as a model type reads it, with the parts that most decoders share: pre-norm blocks of attention and feed-forward under
/// the tensor names of Llama's checkpoints. A type states where it differs.
/// </summary>
/// <param name="Config">The configuration.</param>
/// <param name="Tensors">The tensors.</param>
public sealed record ModelSource(ModelConfig Config, TensorLedger Tensors)
{
    /// <summary>What the names of all tensors but the head begin with.</summary>
    public string Root { get; init; } = "model.";

    /// <summary>What the list of layers is called.</summary>
    public string LayerList { get; init; } = "layers";

    /// <summary>Names of the tensors outside the layers.</summary>
    public OuterNames Names { get; init; } = new();

    /// <summary>Layers of the model.</summary>
    public int Layers => Config.LayerTypes().Count;

    /// <summary>Values in a hidden row.</summary>
    public int HiddenSize => Config.Int("hidden_size");

    /// <summary>What norms divide by.</summary>
    public NormKind Norms { get; init; }

    /// <summary>Added to every factor of a norm: 1 where files hold w of 1 + w.</summary>
    public float NormOffset { get; init; }

    /// <summary>Epsilon of the norms where the type fixes it; null where the configuration says it.</summary>
    public float? FixedEpsilon { get; init; }

    /// <summary>Epsilon of the norms.</summary>
    public float Epsilon => FixedEpsilon ?? Config.Float(Norms == NormKind.Layer ? "layer_norm_eps" : "rms_norm_eps");

    /// <summary>Which tensors of the layers are there where the configuration says that attention has biases.</summary>
    public string AttentionBiases { get; init; } = "*att*.bias";

    /// <summary>Ids of tokens that are parts of images; image_token_ids of the configuration unless a type knows other keys.</summary>
    public ImmutableArray<int> ImageIds { get => field.IsDefault ? [.. Config.Ints("image_token_ids") ?? []] : field; init; }

    /// <summary>Factor on what each block adds.</summary>
    public float ResidualScale { get; init; } = 1;

    /// <summary>The non-linear function that the configuration names.</summary>
    public Activation Activation => Config.OneOf(
        "hidden_act", "silu", "swish", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "relu2") switch
    {
        "silu" or "swish" => Activation.Silu,
        "gelu" => Activation.Gelu,
        "relu" => Activation.Relu,
        "relu2" => Activation.ReluSquared,
        _ => Activation.GeluTanh,
    };

    /// <summary>What the names of a layer's tensors begin with.</summary>
    public string Prefix(int layer) => $"{Root}{LayerList}.{layer}.";

    /// <summary>The norm NAME.weight of the hidden state, with NAME.bias if the checkpoint has it.</summary>
    public Step.Normalize Norm(string name) => new(Norms, HiddenSize, Epsilon, $"{name}.weight")
    {
        Bias = Tensors.Has($"{name}.bias") ? $"{name}.bias" : null,
        Offset = NormOffset,
    };

    /// <summary>Which rows a layer's tokens see: all, a sliding window or a chunk.</summary>
    public RowPolicy Rows(int layer) => Config.LayerTypes()[layer] switch
    {
        LayerType.Full or LayerType.Linear or LayerType.Hybrid => RowPolicy.All,
        LayerType.Sliding or LayerType.HybridSliding => new(Window: Positive("sliding_window")),
        LayerType.Chunked => new(Chunk: Positive("attention_chunk_size")),
        var type => throw Config.Wrong($"layer_types[{layer}]", $"\"{type}\"", $"{LayerType.Full}, {LayerType.Sliding}, {LayerType.Chunked}, {LayerType.Linear}, {LayerType.Hybrid} or {LayerType.HybridSliding}"),
    };

    int Positive(string key)
    {
        var value = Config.Int(key);
        return value > 0 ? value : throw Config.Wrong(key, $"{value}", "a positive number of tokens");
    }

    /// <summary>
    /// Latent attention of a layer: all of the rotary width turns, and scores are divided by the root of the key width, times YaRN's
    /// magnitude squared if it has one for all dimensions.
    /// </summary>
    public AttentionContext Latent(AttentionContext layer)
    {
        var rope = Config.Rope() with { PartialFactor = 1 };
        var magnitude = rope.ScoreMagnitude();
        return layer with
        {
            Rotary = rope.Plan,
            Scale = (float)(magnitude * magnitude / Math.Sqrt(Config.Int("qk_nope_head_dim") + Config.Int("qk_rope_head_dim"))),
        };
    }

    /// <summary>Block of attention of a layer; <paramref name="adapt"/> states what differs from the configuration's common meaning.</summary>
    public AttentionBlock Attention(int layer, Func<AttentionContext, AttentionContext>? adapt = null)
    {
        var context = new AttentionContext(Config, Tensors, layer, $"{Prefix(layer)}self_attn.")
        {
            Norms = Norms,
            Epsilon = Epsilon,
            NormOffset = NormOffset,
            Rotary = width => Config.Rope(Config.LayerTypes()[layer]).Plan(width),
            Rows = Rows(layer),
            ImageIds = ImageIds,
        };
        context = adapt?.Invoke(context) ?? context;
        var family = AttentionFamilies.Of(context);
        return new(AttentionFamilies.Plan(family, context), family.Name) { Before = Norm($"{Prefix(layer)}input_layernorm"), Scale = ResidualScale };
    }

    /// <summary>Block of a gated feed-forward network of a layer.</summary>
    public FeedForwardBlock FeedForward(int layer) => FeedForward(layer, Dense($"{Prefix(layer)}mlp.", Config.Int("intermediate_size")));

    /// <summary>Block of a given feed-forward network of a layer.</summary>
    public FeedForwardBlock FeedForward(int layer, FeedForwardPlan plan) =>
        new(plan) { Before = Norm($"{Prefix(layer)}post_attention_layernorm"), Scale = ResidualScale };

    /// <summary>down(activation(gate x) * up x) under the names PREFIX{gate,up,down}_proj.</summary>
    public DenseFeedForward Dense(string prefix, int width) => new(
        Linear($"{prefix}gate_proj", width, HiddenSize), Linear($"{prefix}up_proj", width, HiddenSize),
        Linear($"{prefix}down_proj", HiddenSize, width), Activation);

    /// <summary>down(activation(up x)) under the given names.</summary>
    public DenseFeedForward Plain(string up, string down, int width) =>
        new(null, Linear(up, width, HiddenSize), Linear(down, HiddenSize, width), Activation);

    /// <summary>Experts PREFIXexperts.N., or stacked as PREFIXexperts., behind the router PREFIXgate.</summary>
    public RoutedFeedForward Experts(string prefix, RoutingRule rule, int width)
    {
        // Gate and up rows of each expert in one stack, gates first.
        if (Tensors.Has($"{prefix}experts.gate_up_proj.weight"))
        {
            var (gate, down) = (Linear($"{prefix}experts.gate_up_proj", width, HiddenSize) with { Of = 2 * width }, Linear($"{prefix}experts.down_proj", HiddenSize, width));
            return new(Linear($"{prefix}gate", rule.Experts, HiddenSize), rule, new DenseFeedForward(gate, gate with { First = width }, down, Activation))
            {
                Experts = rule.Experts,
            };
        }
        var expert = Tensors.Has($"{prefix}experts.gate_proj.weight") ? $"{prefix}experts." : $"{prefix}experts.{{0}}.";
        return new(Linear($"{prefix}gate", rule.Experts, HiddenSize), rule, Dense(expert, width)) { Experts = rule.Experts };
    }

    /// <summary>The matrix NAME.weight, with NAME.bias if the checkpoint has it.</summary>
    public Step.Linear Linear(string name, int outputs, int inputs) =>
        new($"{name}.weight", outputs, inputs) { Bias = Tensors.Has($"{name}.bias") ? $"{name}.bias" : null };

    /// <summary>
    /// Whether there are biases or norms is what the tensors say; a configuration that says otherwise is of another model.
    /// </summary>
    /// <param name="key">What says it; may be absent.</param>
    /// <param name="pattern">The tensors that are there where it is true.</param>
    public void AgreeOn(string key, string pattern)
    {
        if (Config.Has(key) && Config.Bool(key) is var said && said != Tensors.HasAny(pattern))
            throw Config.Wrong(key, said ? "true" : "false", said ? $"false, because no tensor is called {pattern}" : $"true, because there are tensors called {pattern}");
    }

    /// <summary>Leaves aside what a configuration says of experts, for a model that has none.</summary>
    public void IgnoreExperts() => Config.Ignore(
        "num_experts", "n_routed_experts", "num_experts_per_tok", "n_group", "topk_group", "topk_method", "scoring_func", "norm_topk_prob",
        "routed_scaling_factor", "moe_intermediate_size", "n_shared_experts");

    /// <summary>Leaves out the layers behind the last one, which predict further tokens in training.</summary>
    public void IgnorePredictionLayers()
    {
        for (var extra = 0; extra < Config.Int("num_nextn_predict_layers", 0); extra++)
            Tensors.Ignore($"{Prefix(Layers + extra)}*", "layers that predict further tokens are not served");
    }

    /// <summary>The whole model, from the blocks of each layer.</summary>
    public ModelPlan Decoder(Func<int, ImmutableArray<BlockPlan>> blocks)
    {
        // In types named after a scheme the keys are left from the class they were derived from.
        if (AttentionFamilies.ModelTypes.Contains(Config.ModelType)) Config.Ignore("attention_bias", "mlp_bias");
        else
        {
            AgreeOn("attention_bias", $"{Root}{LayerList}.{AttentionBiases}");
            AgreeOn("mlp_bias", $"{Root}{LayerList}.*mlp*.bias");
        }
        Tensors.Ignore("*.rotary_emb.inv_freq", "frequencies follow from the configuration");
        var (embedding, tied) = ($"{Root}{Names.Embedding}.weight", Config.Bool("tie_word_embeddings", false));
        if (tied) Tensors.Ignore($"{Names.Head}.weight", "the embedding is the head");
        return new()
        {
            HiddenSize = HiddenSize,
            VocabularySize = Config.Int("vocab_size"),
            MaxLength = Config.Int("max_position_embeddings"),
            Embedding = embedding,
            Layers = [.. Enumerable.Range(0, Layers).Select(layer => new LayerPlan(blocks(layer)))],
            FinalNorm = Norm($"{Root}{Names.FinalNorm}"),
            Head = tied ? embedding : $"{Names.Head}.weight",
            ImageIds = ImageIds,
        };
    }
}
