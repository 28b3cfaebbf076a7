using System.Collections.Immutable;
using Serving.Attention;
using Serving.Model;

namespace Serving;

/// <summary>The tensors that a plan names, taken from a checkpoint's book without reading them.</summary>
static class PlannedTensors
{
    /// <summary>Takes every tensor of the plan; one that is missing or of a type that is not served is a <see cref="CheckpointException"/>.</summary>
    public static void Take(ModelPlan plan, TensorLedger ledger)
    {
        foreach (var name in Names(plan, ledger).OfType<string>().Distinct())
            ledger.Take(name);
    }

    static IEnumerable<string?> Names(ModelPlan plan, TensorLedger ledger) =>
    [
        plan.Embedding, plan.Positions, plan.Head, plan.HeadBias, .. Of(plan.EmbeddingChannels, ledger), .. Of(plan.FinalNorm, ledger),
        .. plan.Layers.SelectMany(layer => layer.Blocks).SelectMany(block => Of(block, ledger)),
    ];

    static IEnumerable<string?> Of(BlockPlan block, TensorLedger ledger) =>
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

    static IEnumerable<string?> Of(AttentionPlan plan, TensorLedger ledger) =>
    [
        .. plan.Branches.SelectMany(branch => (string?[])[branch.Sinks, .. Of(branch.KeyMap), .. Of(branch.ValueMap), .. Of(branch.Gate)]),
        .. plan.Projections.SelectMany(chain => chain.Steps).SelectMany(step => Of(step, ledger)),
    ];

    static IEnumerable<string?> Of(HeadMap? map) => map is null ? [] : map.Made.IsEmpty ? [map.Weight] : map.Made.SelectMany(Of);

    static IEnumerable<string?> Of(IdGate? gate) =>
        gate is null ? [] : [gate.Embedding.Weight, .. Of(gate.Keys), .. Of(gate.Values), .. Of(gate.Weight), .. Of(gate.Bias)];

    static IEnumerable<string?> Of(MadeMatrix? matrix) =>
        matrix is null ? [] : matrix.Sources.Select(stored => stored.Name);

    static IEnumerable<string?> Of(Projection? chain, TensorLedger ledger) => chain is null ? [] : chain.Steps.SelectMany(step => Of(step, ledger));

    static IEnumerable<string?> Of(Step? step, TensorLedger ledger) => step switch
    {
        Step.Linear linear => [linear.Made is null ? linear.Weight : null, linear.Bias, .. Of(linear.Made), .. Of(linear.MadeBias)],
        Step.TokenEmbedding embedding => [embedding.Weight],
        Step.MultiplyBy times => Of(times.Factors, ledger),
        Step.LinearByHead byHead => byHead.Heads.SelectMany(Of),
        Step.Weigh weigh => [.. Of(weigh.OfPosition, ledger), .. Of(weigh.OfRow, ledger)],
        Step.Gated gated => [.. Of(gated.Gate, ledger), .. Of(gated.Up, ledger)],
        Step.Beside beside => beside.Parts.SelectMany(part => Of(part, ledger)),
        Step.Sum sum => [.. sum.Parts.SelectMany(part => Of(part, ledger)), .. Of(sum.Weights, ledger)],
        Step.Delta delta => new[] { delta.Query, delta.Key, delta.Value, delta.LogDecay, delta.Strength }.SelectMany(part => Of(part, ledger)),
        Step.Convolve convolve => [.. Of(convolve.Weights), .. Of(convolve.Bias)],
        Step.Normalize { Made: { } made } => Of(made),
        Step.Normalize norm => [.. Numbered(norm.Weight, ledger), .. Numbered(norm.Bias, ledger)],
        _ => [],
    };

    static IEnumerable<string?> Of(RoutedFeedForward plan) =>
    [
        plan.Router.Weight, plan.Router.Bias, plan.ChoiceBias, plan.SharedGate?.Weight, plan.SharedGate?.Bias,
        .. Of(plan.Expert, plan.Experts), .. Of(plan.Shared, 0),
    ];

    static IEnumerable<string?> Of(DenseFeedForward? plan, int experts) => new[] { plan?.Gate, plan?.Up, plan?.Down }.OfType<Step.Linear>()
        .SelectMany(linear => new[] { linear.Weight, linear.Bias }).OfType<string>()
        .SelectMany(name => IsNumbered(name) ? Enumerable.Range(0, experts).Select(expert => string.Format(name, expert)) : [name]);

    static IEnumerable<string?> Numbered(string? name, TensorLedger ledger) => name is null ? [] : ledger.Numbered(name);

    static bool IsNumbered(string name) => name.Contains("{0}", StringComparison.Ordinal);
}
