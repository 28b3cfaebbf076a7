using System.Collections.Immutable;
using Serving.Attention;
using Serving.Attention.Families;
using Serving.Devices;

namespace Serving.Model;

/// <summary>
/// A checkpoint as a model type reads it, with the parts that most decoders share: pre-norm blocks of attention and feed-forward under
/// the tensor names of Llama's checkpoints. A type states where it differs.
/// </summary>
/// <param name="Config">The configuration.</param>
/// <param name="Tensors">The tensors.</param>
public sealed record ModelSource(ModelConfig Config, TensorLedger Tensors)
{
    /// <summary>Layers of the model.</summary>
    public int Layers => Config.Int("num_hidden_layers");

    /// <summary>Values in a hidden row.</summary>
    public int HiddenSize => Config.Int("hidden_size");

    /// <summary>Epsilon of the norms.</summary>
    public float Epsilon => Config.Float("rms_norm_eps");

    /// <summary>Factor on what each block adds.</summary>
    public float ResidualScale { get; init; } = 1;

    /// <summary>The non-linear function that the configuration names.</summary>
    public Activation Activation => Config.OneOf("hidden_act", "silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "relu2") switch
    {
        "silu" or "swish" => Activation.Silu,
        "gelu" => Activation.Gelu,
        "relu" => Activation.Relu,
        "relu2" => Activation.ReluSquared,
        _ => Activation.GeluTanh,
    };

    /// <summary>Root-mean-square norm of the hidden state.</summary>
    public Step.Normalize Norm(string weight) => new(NormKind.RootMeanSquare, HiddenSize, Epsilon, weight);

    /// <summary>Which rows a layer's tokens see: all, a sliding window or a chunk.</summary>
    public RowPolicy Rows(int layer) => Config.LayerTypes()[layer] switch
    {
        LayerType.Full => RowPolicy.All,
        LayerType.Sliding => new(Window: Positive("sliding_window")),
        LayerType.Chunked => new(Chunk: Positive("attention_chunk_size")),
        var type => throw Config.Wrong($"layer_types[{layer}]", $"\"{type}\"", $"{LayerType.Full}, {LayerType.Sliding} or {LayerType.Chunked}"),
    };

    int Positive(string key)
    {
        var value = Config.Int(key);
        return value > 0 ? value : throw Config.Wrong(key, $"{value}", "a positive number of tokens");
    }

    /// <summary>The score factor of latent attention: one over the root of the key width, times YaRN's magnitude squared if it has one for all dimensions.</summary>
    public AttentionContext LatentScale(AttentionContext layer)
    {
        var magnitude = Config.Rope().ScoreMagnitude();
        return layer with { Scale = (float)(magnitude * magnitude / Math.Sqrt(Config.Int("qk_nope_head_dim") + Config.Int("qk_rope_head_dim"))) };
    }

    /// <summary>Block of attention of a layer; <paramref name="adapt"/> states what differs from the configuration's common meaning.</summary>
    public AttentionBlock Attention(int layer, Func<AttentionContext, AttentionContext>? adapt = null)
    {
        var context = new AttentionContext(Config, Tensors, layer, $"model.layers.{layer}.self_attn.")
        {
            Epsilon = Epsilon,
            Rotary = width => Config.Rope().Plan(width),
            Rows = Rows(layer),
        };
        context = adapt?.Invoke(context) ?? context;
        return new(AttentionFamilies.Of(context).Plan(context)) { Before = Norm($"model.layers.{layer}.input_layernorm.weight"), Scale = ResidualScale };
    }

    /// <summary>Block of a gated feed-forward network of a layer.</summary>
    public FeedForwardBlock FeedForward(int layer) => FeedForward(layer, Dense($"model.layers.{layer}.mlp.", Config.Int("intermediate_size")));

    /// <summary>Block of a given feed-forward network of a layer.</summary>
    public FeedForwardBlock FeedForward(int layer, FeedForwardPlan plan) =>
        new(plan) { Before = Norm($"model.layers.{layer}.post_attention_layernorm.weight"), Scale = ResidualScale };

    /// <summary>down(activation(gate x) * up x) under the names PREFIX{gate,up,down}_proj.</summary>
    public DenseFeedForward Dense(string prefix, int width) => new(
        Linear($"{prefix}gate_proj", width, HiddenSize), Linear($"{prefix}up_proj", width, HiddenSize), Linear($"{prefix}down_proj", HiddenSize, width), Activation);

    /// <summary>The matrix NAME.weight, with NAME.bias if the checkpoint has it.</summary>
    public Step.Linear Linear(string name, int outputs, int inputs) =>
        new($"{name}.weight", outputs, inputs) { Bias = Tensors.Has($"{name}.bias") ? $"{name}.bias" : null };

    /// <summary>The whole model, from the blocks of each layer.</summary>
    public ModelPlan Decoder(Func<int, ImmutableArray<BlockPlan>> blocks)
    {
        // A bias is used exactly when its tensor is there, and a tensor that nobody uses is an error.
        Config.Ignore("attention_bias", "mlp_bias");
        return Outer(blocks);
    }

    ModelPlan Outer(Func<int, ImmutableArray<BlockPlan>> blocks) => new()
    {
        HiddenSize = HiddenSize,
        VocabularySize = Config.Int("vocab_size"),
        MaxLength = Config.Int("max_position_embeddings"),
        Embedding = "model.embed_tokens.weight",
        Layers = [.. Enumerable.Range(0, Layers).Select(layer => new LayerPlan(blocks(layer)))],
        FinalNorm = Norm("model.norm.weight"),
        Head = Config.Bool("tie_word_embeddings", false) ? "model.embed_tokens.weight" : "lm_head.weight",
    };
}
