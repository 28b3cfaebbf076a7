using System.Collections.Immutable;
using Serving.Attention;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Model.Types;

namespace Serving;

/// <summary>What a checkpoint is, from its configuration and its list of tensors; no weight is read.</summary>
public sealed record ModelSummary
{
    /// <summary>A name for people.</summary>
    public required string Name { get; init; }

    /// <summary>Value of model_type, or what the GGUF architecture stands for.</summary>
    public required string ModelType { get; init; }

    /// <summary>Value of general.architecture of a GGUF file; null for a Hugging Face folder.</summary>
    public string? GgufArchitecture { get; init; }

    /// <summary>Most tokens of a sequence that the model was made for.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Layers.</summary>
    public required int Layers { get; init; }

    /// <summary>Values in a hidden row.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Tokens of the vocabulary: rows of the embedding and of the head.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The kinds of attention, in the order of their first layer.</summary>
    public required ImmutableArray<AttentionSummary> Attention { get; init; }

    /// <summary>The kinds of feed-forward network, in the order of their first layer.</summary>
    public required ImmutableArray<FeedForwardSummary> FeedForward { get; init; }

    /// <summary>The types that weights are stored in, most bytes first.</summary>
    public required ImmutableArray<StoredSummary> Stored { get; init; }

    /// <summary>What each group of layers caches.</summary>
    public required ImmutableArray<CacheSummary> Cache { get; init; }

    /// <summary>Values of all weights.</summary>
    public long Parameters => Stored.Sum(type => type.Values);

    /// <summary>Bytes of all weights as stored.</summary>
    public long Bytes => Stored.Sum(type => type.Bytes);

    /// <summary>Describes a checkpoint.</summary>
    /// <exception cref="CheckpointException">It is not a model that is served; the message says why.</exception>
    public static ModelSummary Of(Checkpoint checkpoint)
    {
        var ledger = checkpoint.OpenLedger();
        var plan = ModelTypes.Plan(new(checkpoint.Config, ledger));
        PlannedTensors.Take(plan, ledger);
        ledger.Close();
        var blocks = plan.Layers.SelectMany((layer, number) => layer.Blocks.Select(block => (Layer: number, Block: block))).ToArray();
        return new()
        {
            Name = checkpoint.Name,
            ModelType = checkpoint.Config.ModelType,
            GgufArchitecture = checkpoint.Metadata?.Text("general.architecture"),
            ContextLength = plan.MaxLength,
            Layers = plan.Layers.Length,
            HiddenSize = plan.HiddenSize,
            VocabularySize = plan.VocabularySize,
            Attention = [.. blocks.SelectMany(at => AttentionSummary.Of(at.Block), (at, kind) => (at.Layer, Kind: kind))
                .GroupBy(at => at.Kind, at => at.Layer).Select(kind => kind.Key with { Layers = [.. kind.Distinct()] })],
            FeedForward = [.. blocks.GroupBy(at => FeedForwardSummary.Of(at.Block), at => at.Layer)
                .Where(kind => kind.Key is not null).Select(kind => kind.Key! with { Layers = [.. kind.Distinct()] })],
            Stored = [.. checkpoint.Tensors.Values.GroupBy(tensor => tensor.Type)
                .Select(type => new StoredSummary(type.Key.Name(), type.Count(), type.Sum(t => t.Count), type.Sum(t => t.ByteLength)))
                .OrderByDescending(type => type.Bytes)],
            Cache = CacheSummary.Of(plan),
        };
    }
}

/// <summary>One kind of attention.</summary>
/// <param name="Scheme">What papers and people call it.</param>
/// <param name="Rows">Which cached rows a token sees.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="Groups">Groups of heads that read the same cached rows.</param>
/// <param name="MainWidth">Values of a cached row that scores come from.</param>
/// <param name="RotaryWidth">Values of the separate rotary part of a key; 0 for none.</param>
/// <param name="ValueWidth">Values of a cached value; in the main row itself when it is <paramref name="ValueInMain"/>.</param>
/// <param name="ValueInMain">The main row is the value as well.</param>
public sealed record AttentionSummary(
    string Scheme, string Rows, int Heads, int Groups, int MainWidth, int RotaryWidth, int ValueWidth, bool ValueInMain)
{
    /// <summary>The layers that have it.</summary>
    public ImmutableArray<int> Layers { get; init; } = [];

    /// <summary>One for each branch of a block of attention; none for another block.</summary>
    internal static IEnumerable<AttentionSummary> Of(BlockPlan block) => block is AttentionBlock { Plan: var plan, Family: var family }
        ? plan.Branches.Select(plan.ShapeOf).Select(shape => new AttentionSummary(
            family, plan.Rows.Description, shape.QueryHeads, shape.Groups, shape.MainWidth, shape.RotaryWidth, shape.ValueWidth, shape.ValueInMain))
            .Concat(plan.States.Select(state => state.Update).OfType<StateUpdate.DeltaRule>()
                .Select(rule => new AttentionSummary(family, "a state", rule.Heads, rule.Heads, rule.KeyWidth, 0, rule.ValueWidth, false)))
        : [];
}

/// <summary>One kind of feed-forward network.</summary>
/// <param name="Activation">The non-linear function.</param>
/// <param name="Gated">The function's result multiplies a second product.</param>
/// <param name="Width">Inner values, of one expert where there are experts.</param>
/// <param name="Experts">Experts with weights; 0 for a dense network.</param>
/// <param name="Chosen">Experts that a token uses.</param>
/// <param name="SharedWidth">Inner values of the network that all tokens use beside the experts; 0 for none.</param>
public sealed record FeedForwardSummary(string Activation, bool Gated, int Width, int Experts, int Chosen, int SharedWidth)
{
    /// <summary>The layers that have it.</summary>
    public ImmutableArray<int> Layers { get; init; } = [];

    internal static FeedForwardSummary? Of(BlockPlan block) => block is FeedForwardBlock { Plan: var plan } ? Of(plan) : null;

    static FeedForwardSummary Of(FeedForwardPlan plan) => plan switch
    {
        DenseFeedForward dense => new($"{dense.Activation.Function}", dense.Gate is not null, dense.Up.Outputs, 0, 0, 0),
        RoutedFeedForward routed => Of(routed.Expert) with
        {
            Experts = routed.Experts,
            Chosen = routed.Rule.Chosen,
            SharedWidth = routed.Shared?.Up.Outputs ?? 0,
        },
        _ => throw new InvalidOperationException($"Feed-forward {plan.GetType().Name} has no summary."),
    };
}

/// <summary>Weights of one stored type.</summary>
/// <param name="Type">The published name of the type.</param>
/// <param name="Tensors">Tensors.</param>
/// <param name="Values">Their values.</param>
/// <param name="Bytes">Their bytes.</param>
public sealed record StoredSummary(string Type, int Tensors, long Values, long Bytes);

/// <summary>What a token leaves in the caches of layers whose rows live equally long.</summary>
/// <param name="Rows">Which cached rows a token sees.</param>
/// <param name="Attentions">How many attentions cache so.</param>
/// <param name="Elements">Values of a token in all of them.</param>
/// <param name="Float32Bytes">Its bytes as float32.</param>
/// <param name="BFloat16Bytes">Its bytes as bfloat16.</param>
public sealed record CacheSummary(string Rows, int Attentions, double Elements, double Float32Bytes, double BFloat16Bytes)
{
    internal static ImmutableArray<CacheSummary> Of(ModelPlan plan)
    {
        CacheLayout Layout(CacheType type) => new([.. plan.Attentions], CacheLayout.PageTokensFor(plan.Attentions), type);
        var (wide, narrow) = (Layout(CacheType.Float32), Layout(CacheType.BFloat16));
        return [.. wide.Groups.Zip(narrow.Groups, (w, n) => new CacheSummary(
            w.Rows.Description, w.Layers.Length, w.Layers.Sum(wide.ElementsPerToken), w.TokenBytes, n.TokenBytes))];
    }
}
