using System.Collections.Immutable;
using Serving.Attention;
using Serving.Model;
using Serving.Scheduling;

namespace Serving;

/// <summary>From a prompt's length and the most tokens its sequences may reach to what decides the rounding of their rows.</summary>
/// <param name="plan">The model.</param>
/// <param name="asked">How given tokens are to be executed.</param>
/// <param name="label">Names all else: checkpoint, device, stored types.</param>
sealed class NumericPaths(ModelPlan plan, Execution asked, string label)
{
    readonly bool _canExpand = plan.Attentions.Any(attention => attention.CanExpand);
    readonly int? _crossover = ExecutionChoice.Crossover(plan.Attentions);

    // Sequences that may grow past such a length turn by other frequencies from their first token on.
    readonly ImmutableArray<int> _rotaryLengths = [.. plan.Attentions
        .SelectMany(attention => attention.Projections).SelectMany(projection => projection.Steps).OfType<Step.Rotate>().Select(step => step.Rotary)
        .Where(rotary => !rotary.LongFrequencies.IsEmpty).Select(rotary => rotary.OriginalLength).Distinct()];

    /// <summary>Whether any prompt of at most so many tokens is expanded.</summary>
    public bool Expands(int longest) => _canExpand && ExecutionChoice.Expands(asked, _crossover, longest);

    /// <summary>The path of a request.</summary>
    public NumericPath Of(int promptLength, int lengthLimit)
    {
        var expands = Expands(promptLength);
        var passed = _rotaryLengths.Count(length => lengthLimit > length);
        return new($"{label}|{(expands ? Execution.Expanded : Execution.Absorbed)}|{passed}", expands);
    }
}
