using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model;

/// <summary>The products of attention whose queries, keys and values come straight from the layer's input.</summary>
public sealed record AttentionProducts(Step.Linear Query, Step.Linear Key, Step.Linear Value, Step.Linear Output);

/// <summary>What a model type tells the attention family about one layer. The family asks the configuration and the tensors for the rest.</summary>
/// <param name="Config">The model's configuration.</param>
/// <param name="Tensors">The checkpoint's tensors.</param>
/// <param name="Layer">Number of the layer.</param>
/// <param name="Prefix">What the names of the layer's attention tensors begin with.</param>
public sealed record AttentionContext(ModelConfig Config, TensorLedger Tensors, int Layer, string Prefix)
{
    /// <summary>Makes the rotary embedding of vectors of a width; null for a layer without one.</summary>
    public Func<int, RotaryPlan>? Rotary { get; init; }

    /// <summary>What query and key heads are divided by, where the layer norms them.</summary>
    public NormKind Norms { get; init; }

    /// <summary>Epsilon of the layer's norms.</summary>
    public float Epsilon { get; init; } = 1e-6f;

    /// <summary>Added to every factor of a norm of query and key heads.</summary>
    public float NormOffset { get; init; }

    /// <summary>Query and key heads are normed after they turn, not before.</summary>
    public bool NormsAfterTurn { get; init; }

    /// <summary>Query and key heads are normed without factors.</summary>
    public bool PlainNorms { get; init; }

    /// <summary>Last step of every query; null for none.</summary>
    public Step? QueryEnd { get; init; }

    /// <summary>Last step of a cached latent; null for none.</summary>
    public Step? LatentEnd { get; init; }

    /// <summary>Factor on scores; null for one over the root of the key width.</summary>
    public float? Scale { get; init; }

    /// <summary>c in c * tanh(score / c); 0 for none.</summary>
    public float Softcap { get; init; }

    /// <summary>Which rows a token sees.</summary>
    public RowPolicy Rows { get; init; } = RowPolicy.All;

    /// <summary>Ids of tokens that are parts of images.</summary>
    public ImmutableArray<int> ImageIds { get; init; } = [];

    /// <summary>How queries, keys and values are stored; null for matrices of their own, q_proj, k_proj, v_proj and o_proj.</summary>
    public AttentionProducts? Products { get; init; }

    /// <summary>Values in a hidden row.</summary>
    public int HiddenSize { get => field > 0 ? field : Config.Int("hidden_size"); init; }

    /// <summary>Query heads; the configuration's unless the layer has its own number.</summary>
    public int Heads { get => field > 0 ? field : Config.Int("num_attention_heads"); init; }

    /// <summary>Key and value heads; the configuration's unless the layer has its own number.</summary>
    public int Groups { get => field > 0 ? field : Config.Int("num_key_value_heads"); init; }

    /// <summary>Values of a head.</summary>
    public int HeadWidth => Config.IntOrNull("head_dim") ?? (HiddenSize >= Heads
        ? HiddenSize / Heads
        : throw Config.Wrong("num_attention_heads", $"{Heads}", $"at most hidden_size = {HiddenSize}"));

    /// <summary>Values of an output vector where the configuration does not say; null where it does.</summary>
    public int? ValueWidth { get; init; }

    /// <summary>The first of some names under which the layer has a matrix; the first of all when it has none.</summary>
    public string NameOf(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
            if (Has($"{name}.weight")) return name;
        return names[0];
    }

    /// <summary>Whether the layer has a tensor of this name.</summary>
    public bool Has(string name) => Tensors.Has(Prefix + name);

    /// <summary>The matrix NAME.weight, with NAME.bias if the checkpoint has it.</summary>
    public Step.Linear Linear(string name, int outputs, int inputs) => new($"{Prefix}{name}.weight", outputs, inputs)
    {
        Bias = Has($"{name}.bias") ? $"{Prefix}{name}.bias" : null,
    };

    /// <summary>A stored tensor NAME of the given sizes, to make matrices of.</summary>
    public MadeMatrix Stored(string name, params ReadOnlySpan<int> shape) => new MadeMatrix.Stored(Prefix + name, [.. shape]);

    /// <summary>The root-mean-square norm NAME.weight over vectors of a width; null if the checkpoint does not have it.</summary>
    public Step.Normalize? Norm(string name, int width, float? epsilon = null) => Has($"{name}.weight")
        ? new(NormKind.RootMeanSquare, width, epsilon ?? Epsilon, $"{Prefix}{name}.weight")
        : null;

    /// <summary>
    /// The norm of a row of query or key heads under the first name that the checkpoint has; null for none. Its factors are as many as
    /// a head has values, or as the row has and then one norm over the whole row; or each head has a tensor NAME.norms.N of its own.
    /// </summary>
    public Step.Normalize? HeadNorm(int outputs, params ReadOnlySpan<string> names)
    {
        if (PlainNorms) return new(Norms, HeadWidth, Epsilon, null);
        foreach (var name in names)
        {
            if (Has($"{name}.norms.0.weight")) return new(Norms, HeadWidth, Epsilon, $"{Prefix}{name}.norms.{{0}}.weight") { Offset = NormOffset };
            if (Tensors.Length($"{Prefix}{name}.weight") is { } length)
                return new(Norms, length == outputs ? outputs : HeadWidth, Epsilon, $"{Prefix}{name}.weight") { Offset = NormOffset };
        }
        return null;
    }

    /// <summary>The layer's rotary embedding over the values from <paramref name="offset"/> on of vectors of a width; null for a layer without one.</summary>
    public Step.Rotate? Rotate(int width, int offset = 0) => Rotary is null ? null : new(Rotary(width - offset), width, offset);

    /// <summary>This layer with queries, keys and values in one matrix: one after the other, or one after the other within each head.</summary>
    /// <param name="name">The fused matrix.</param>
    /// <param name="output">The output matrix.</param>
    /// <param name="byHead">Each head's query, key and value lie together; there are as many key heads as query heads.</param>
    /// <param name="transposed">Both matrices are stored as [inputs x outputs].</param>
    public AttentionContext Fused(string name, string output, bool byHead = false, bool transposed = false)
    {
        var (queries, keys) = (Heads * HeadWidth, Groups * HeadWidth);
        var all = Linear(name, queries, HiddenSize) with { Of = queries + 2 * keys, Transposed = transposed };
        Step.Linear Part(int part) => byHead
            ? all with { Parts = Heads, First = part * HeadWidth }
            : all with { First = part == 0 ? 0 : queries + (part - 1) * keys, Outputs = part == 0 ? queries : keys };
        return this with { Products = new(Part(0), Part(1), Part(2), Linear(output, HiddenSize, queries) with { Transposed = transposed }) };
    }
}
