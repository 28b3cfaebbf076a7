using System.Collections.Immutable;
using Serving.Attention;

namespace Serving.Model;

/// <summary>The tensors that a plan names, by a checkpoint's book; none is read.</summary>
static class PlannedTensors
{
    /// <summary>Takes every tensor of the plan; one that is missing or of a type that is not served is a <see cref="CheckpointException"/>.</summary>
    public static void Take(ModelPlan plan, TensorLedger ledger)
    {
        foreach (var name in Names(plan, ledger).Select(tensor => tensor.Name).Distinct())
            ledger.Take(name);
    }

    /// <summary>Matrices that are stored in other sizes than the configuration says, before any memory is asked for; the error lists its numbers.</summary>
    public static void Agree(ModelPlan plan, ModelSource source)
    {
        foreach (var (name, shape) in Names(plan, source.Tensors))
            if (!shape.IsEmpty && source.Tensors.ShapeOf(name) is { } stored && !stored.SequenceEqual(shape))
                throw new CheckpointException($"{source.Config.Source}: tensor {name} is [{string.Join(", ", stored)}]; the configuration asks for [{string.Join(", ", shape)}], "
                    + $"by {string.Join(", ", source.Config.Numbers.Concat(source.Tensors.Companions.SelectMany(companion => companion.Numbers)).Select(number => $"{number.Key} = {number.Value}"))}.");
    }

    static IEnumerable<Planned> Names(ModelPlan plan, TensorLedger ledger) =>
    [
        new(plan.Embedding, [plan.VocabularySize, plan.HiddenSize]), new(plan.Head, [plan.VocabularySize, plan.HiddenSize]),
        .. Plain(plan.Positions, plan.HeadBias), .. Of(plan.EmbeddingChannels, ledger), .. Of(plan.FinalNorm, ledger),
        .. plan.Layers.SelectMany(layer => layer.Blocks).SelectMany(block => Of(block, ledger)),
    ];

    static IEnumerable<Planned> Of(BlockPlan block, TensorLedger ledger) =>
    [
        .. Of(block.Before, ledger), .. Of(block.After, ledger), .. Of(block.Channels?.Stream, ledger), .. Of(block.Channels?.Result, ledger),
        .. block switch
        {
            AttentionBlock { Plan: var attention } => Of(attention, ledger),
            FeedForwardBlock { Plan: DenseFeedForward dense } => Of(dense, 0),
            FeedForwardBlock { Plan: RoutedFeedForward routed } => [.. Of(routed.RouterInput, ledger), .. Of(routed)],
            _ => throw new InvalidOperationException($"Block {block.GetType().Name} names no tensors."),
        },
    ];

    static IEnumerable<Planned> Of(AttentionPlan plan, TensorLedger ledger) =>
    [
        .. plan.Branches.SelectMany(branch => (Planned[])
            [.. Plain(branch.Sinks), .. Of(branch.KeyMap, branch.Heads), .. Of(branch.ValueMap, branch.Heads), .. Of(branch.Gate, branch.Heads)]),
        .. plan.Projections.SelectMany(chain => chain.Steps).SelectMany(step => Of(step, ledger)),
    ];

    static IEnumerable<Planned> Of(HeadMap? map, int heads) => map switch
    {
        null => [],
        { Made.IsEmpty: false } => map.Made.SelectMany(Of),
        { Ready: true } => Plain(map.Weight),
        _ => [new(map.Weight, [heads * map.Stride, map.Inputs])],
    };

    static IEnumerable<Planned> Of(IdGate? gate, int heads) =>
        gate is null ? [] : [new(gate.Embedding.Weight, [gate.Embedding.Ids, gate.Embedding.Width]), .. Of(gate.Keys, heads), .. Of(gate.Values, heads), .. Of(gate.Weight), .. Of(gate.Bias)];

    static IEnumerable<Planned> Of(MadeMatrix? matrix) =>
        matrix is null ? [] : matrix.Sources.Select(stored => new Planned(stored.Name, stored.Shape));

    static IEnumerable<Planned> Of(Projection? chain, TensorLedger ledger) => chain is null ? [] : chain.Steps.SelectMany(step => Of(step, ledger));

    static IEnumerable<Planned> Of(Step? step, TensorLedger ledger) => step switch
    {
        Step.Linear { Made: null } linear => [new(linear.Weight, Shape(linear)), .. Plain(linear.Bias), .. Of(linear.MadeBias)],
        Step.Linear linear => [.. Plain(linear.Bias), .. Of(linear.Made), .. Of(linear.MadeBias)],
        Step.TokenEmbedding embedding => [new(embedding.Weight, [embedding.Ids, embedding.Width])],
        Step.MultiplyBy times => Of(times.Factors, ledger),
        Step.LinearByHead byHead => byHead.Heads.SelectMany(Of),
        Step.Weigh weigh => [.. Of(weigh.OfPosition, ledger), .. Of(weigh.OfRow, ledger)],
        Step.Gated gated => [.. Of(gated.Gate, ledger), .. Of(gated.Up, ledger)],
        Step.Beside beside => beside.Parts.SelectMany(part => Of(part, ledger)),
        Step.Sum sum => [.. sum.Parts.SelectMany(part => Of(part, ledger)), .. Of(sum.Weights, ledger)],
        Step.Delta delta => new[] { delta.Query, delta.Key, delta.Value, delta.LogDecay, delta.Strength }.SelectMany(part => Of(part, ledger)),
        Step.Convolve convolve => [.. Of(convolve.Weights), .. Of(convolve.Bias)],
        Step.Normalize { Made: { } made } => Of(made),
        Step.Normalize norm => [.. Plain(Numbered(norm.Weight, ledger)), .. Plain(Numbered(norm.Bias, ledger))],
        _ => [],
    };

    static IEnumerable<Planned> Of(RoutedFeedForward plan) =>
    [
        .. Plain(plan.Router.Weight, plan.Router.Bias, plan.ChoiceBias, plan.SharedGate?.Weight, plan.SharedGate?.Bias),
        .. Of(plan.Expert, plan.Experts), .. Of(plan.Shared, 0),
    ];

    // Stacks of experts have further sizes, which are compared when they are loaded.
    static IEnumerable<Planned> Of(DenseFeedForward? plan, int experts) => new[] { plan?.Gate, plan?.Up, plan?.Down }.OfType<Step.Linear>().SelectMany(linear =>
        linear.Weight.Contains("{0}", StringComparison.Ordinal)
            ? Enumerable.Range(0, experts).SelectMany(expert => (Planned[])
                [new(string.Format(linear.Weight, expert), Shape(linear)), .. linear.Bias is null ? [] : Plain(string.Format(linear.Bias, expert))])
            : [new(linear.Weight, experts > 0 ? [] : Shape(linear)), .. Plain(linear.Bias)]);

    static ImmutableArray<int> Shape(Step.Linear linear) =>
        linear.Transposed ? [linear.Inputs, linear.StoredRows] : [linear.StoredRows, linear.Inputs];

    static string[] Numbered(string? name, TensorLedger ledger) => name is null ? [] : [.. ledger.Numbered(name)];

    static IEnumerable<Planned> Plain(params IEnumerable<string?> names) => names.OfType<string>().Select(name => new Planned(name, []));

    /// <summary>A tensor, and its sizes, outermost first; none where they are not compared here.</summary>
    readonly record struct Planned(string Name, ImmutableArray<int> Shape);
}
