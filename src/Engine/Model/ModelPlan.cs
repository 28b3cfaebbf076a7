using System.Collections.Immutable;
using Serving.Attention;
using Serving.Devices;

namespace Serving.Model;

/// <summary>A model as data: what its weights are called and in which order they act. A model type makes it from a checkpoint.</summary>
public sealed record ModelPlan
{
    /// <summary>Values in a hidden row.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Tokens of the vocabulary: rows of the embedding and of the head.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Most tokens of a sequence that the model was made for.</summary>
    public required int MaxLength { get; init; }

    /// <summary>Stored embedding [VocabularySize x HiddenSize].</summary>
    public required string Embedding { get; init; }

    /// <summary>Factor on embedded rows.</summary>
    public float EmbeddingScale { get; init; } = 1;

    /// <summary>A factor and a bias for every channel of embedded rows; null for none.</summary>
    public Step.Convolve? EmbeddingChannels { get; init; }

    /// <summary>Stored table [MaxLength x HiddenSize] whose rows are added to the embedded tokens by position; null for none.</summary>
    public string? Positions { get; init; }

    /// <summary>The layers, first to last.</summary>
    public required ImmutableArray<LayerPlan> Layers { get; init; }

    /// <summary>What enters the head; null for the hidden state itself.</summary>
    public required Step.Normalize? FinalNorm { get; init; }

    /// <summary>Factor on the normed hidden state before the head.</summary>
    public float HeadInputScale { get; init; } = 1;

    /// <summary>Stored head [VocabularySize x HiddenSize]; the embedding when tied.</summary>
    public required string Head { get; init; }

    /// <summary>Stored vector [VocabularySize] that is added to logits, before the factor; null for none.</summary>
    public string? HeadBias { get; init; }

    /// <summary>Factor on logits.</summary>
    public float LogitScale { get; init; } = 1;

    /// <summary>c in c * tanh(logit / c), after the factor; 0 for none.</summary>
    public float LogitSoftcap { get; init; }

    /// <summary>Ids of tokens that stand for parts of images and videos, which are not served: a prompt that holds one is refused.</summary>
    public ImmutableArray<int> ImageIds { get; init; } = [];

    /// <summary>Whether given tokens may be executed expanded: then the matrices for it are loaded too.</summary>
    public bool Expands { get; init; }

    /// <summary>Attention of every block that has one, in the order of the blocks.</summary>
    public IEnumerable<AttentionPlan> Attentions => Layers.SelectMany(layer => layer.Blocks).OfType<AttentionBlock>().Select(block => block.Plan);
}

/// <summary>One layer: blocks that each read the residual stream and add to it.</summary>
/// <param name="Blocks">The blocks, in order.</param>
public sealed record LayerPlan(ImmutableArray<BlockPlan> Blocks);

/// <summary>Factors and biases of channels where a block's result meets the stream: x = Stream(x) + Result(block(x)).</summary>
/// <param name="Stream">What becomes of the stream before the result is added.</param>
/// <param name="Result">What becomes of what the block gives.</param>
public sealed record ChannelWeights(Step.Convolve Stream, Step.Convolve Result);

/// <summary>A block on the residual stream: x += Scale * After(block(Before(x))).</summary>
public abstract record BlockPlan
{
    /// <summary>Norm on what the block reads; null for none.</summary>
    public Step.Normalize? Before { get; init; }

    /// <summary>Norm on what the block gives; null for none.</summary>
    public Step.Normalize? After { get; init; }

    /// <summary>Weights of the stream's and of the result's channels; null where they just add up.</summary>
    public ChannelWeights? Channels { get; init; }

    /// <summary>Factor on what the block gives.</summary>
    public float Scale { get; init; } = 1;

    /// <summary>How many blocks of the layer run before the result is added; those do not see it yet.</summary>
    public int AddsAfter { get; init; }
}

/// <summary>A block of attention.</summary>
/// <param name="Plan">What it caches and how it reads.</param>
/// <param name="Family">What papers and people call the scheme.</param>
public sealed record AttentionBlock(AttentionPlan Plan, string Family) : BlockPlan;

/// <summary>A block of feed-forward products.</summary>
/// <param name="Plan">Dense or routed.</param>
public sealed record FeedForwardBlock(FeedForwardPlan Plan) : BlockPlan;

/// <summary>A feed-forward network as data.</summary>
public abstract record FeedForwardPlan;

/// <summary>down(activation(gate x) * up x), or down(activation(up x)) without a gate. Biases of experts are stored stacked.</summary>
/// <param name="Gate">Gate matrix; null for none.</param>
/// <param name="Up">Up matrix.</param>
/// <param name="Down">Down matrix.</param>
/// <param name="Activation">The function, and what is done around it.</param>
public sealed record DenseFeedForward(Step.Linear? Gate, Step.Linear Up, Step.Linear Down, GateRule Activation) : FeedForwardPlan;

/// <summary>Experts chosen by a router, and what every token passes through beside them.</summary>
/// <param name="Router">Router matrix [experts x width of what it reads].</param>
/// <param name="Rule">How experts are chosen.</param>
/// <param name="Expert">One expert; "{0}" in its names stands for the number, and names without it for all experts stacked.</param>
public sealed record RoutedFeedForward(Step.Linear Router, RoutingRule Rule, DenseFeedForward Expert) : FeedForwardPlan
{
    /// <summary>From the network's input to what the router's matrix reads; null for the input itself.</summary>
    public Projection? RouterInput { get; init; }

    /// <summary>Experts that have weights; those past them give their input back.</summary>
    public required int Experts { get; init; }

    /// <summary>Experts past those with weights give nothing instead.</summary>
    public bool Skips { get; init; }

    /// <summary>Stored vector [experts] that moves the choice but not the weights; null for none.</summary>
    public string? ChoiceBias { get; init; }

    /// <summary>An expert's input is multiplied by its weight, instead of its output.</summary>
    public bool WeighsInput { get; init; }

    /// <summary>Network of every token, added to the experts; null for none.</summary>
    public DenseFeedForward? Shared { get; init; }

    /// <summary>Matrix [1 x hidden] to a number whose sigmoid multiplies what the shared network gives; null for none.</summary>
    public Step.Linear? SharedGate { get; init; }
}
