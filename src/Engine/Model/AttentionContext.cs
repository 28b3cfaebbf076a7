using Serving.Attention;
using Serving.Devices;

namespace Serving.Model;

/// <summary>What a model type tells the attention family about one layer. The family asks the configuration and the tensors for the rest.</summary>
/// <param name="Config">The model's configuration.</param>
/// <param name="Tensors">The checkpoint's tensors.</param>
/// <param name="Layer">Number of the layer.</param>
/// <param name="Prefix">What the names of the layer's attention tensors begin with.</param>
public sealed record AttentionContext(ModelConfig Config, TensorLedger Tensors, int Layer, string Prefix)
{
    /// <summary>Makes the rotary embedding of vectors of a width; null for a layer without one.</summary>
    public Func<int, RotaryPlan>? Rotary { get; init; }

    /// <summary>Epsilon of the layer's norms.</summary>
    public float Epsilon { get; init; } = 1e-6f;

    /// <summary>Factor on scores; null for one over the root of the key width.</summary>
    public float? Scale { get; init; }

    /// <summary>Which rows a token sees.</summary>
    public RowPolicy Rows { get; init; } = RowPolicy.All;

    /// <summary>Values in a hidden row.</summary>
    public int HiddenSize => Config.Int("hidden_size");

    /// <summary>Query heads.</summary>
    public int Heads => Config.Int("num_attention_heads");

    /// <summary>Key and value heads.</summary>
    public int Groups => Config.Int("num_key_value_heads");

    /// <summary>Values of a head.</summary>
    public int HeadWidth => Config.IntOrNull("head_dim") ?? HiddenSize / Heads;

    /// <summary>Whether the layer has a tensor of this name.</summary>
    public bool Has(string name) => Tensors.Has(Prefix + name);

    /// <summary>The matrix NAME.weight, with NAME.bias if the checkpoint has it.</summary>
    public Step.Linear Linear(string name, int outputs, int inputs) => new($"{Prefix}{name}.weight", outputs, inputs)
    {
        Bias = Has($"{name}.bias") ? $"{Prefix}{name}.bias" : null,
    };

    /// <summary>The root-mean-square norm NAME.weight over vectors of a width; null if the checkpoint does not have it.</summary>
    public Step.Normalize? Norm(string name, int width, float? epsilon = null) => Has($"{name}.weight")
        ? new(NormKind.RootMeanSquare, width, epsilon ?? Epsilon, $"{Prefix}{name}.weight")
        : null;

    /// <summary>The layer's rotary embedding over the values from <paramref name="offset"/> on of vectors of a width; null for a layer without one.</summary>
    public Step.Rotate? Rotate(int width, int offset = 0) => Rotary is null ? null : new(Rotary(width - offset), width, offset);
}
