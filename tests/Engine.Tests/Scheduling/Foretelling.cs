using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving.Tests;

/// <summary>A drafter that knows what is going to be said, and lies now and then.</summary>
sealed class Foretelling(Func<Sequence, IReadOnlyList<int>> said, Random random) : IDrafter
{
    readonly Dictionary<Sequence, IReadOnlyList<int>> _said = [];

    public void Draft(ReadOnlySpan<Sequence> sequences)
    {
        foreach (var sequence in sequences)
        {
            if (!_said.TryGetValue(sequence, out var tokens)) _said[sequence] = tokens = said(sequence);
            for (var next = sequence.Known.Length - sequence.Request.Prompt.Length; next < tokens.Count; next++)
                if (!sequence.Guess(random.Next(4) == 0 ? random.Next(4) : tokens[next])) break;
        }
    }

    public void Forget(Sequence sequence)
    {
    }
}
