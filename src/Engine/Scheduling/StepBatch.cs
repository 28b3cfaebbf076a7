using System.Runtime.InteropServices;

namespace Serving.Scheduling;

/// <summary>Who computes how many rows in one step; reused from step to step.</summary>
/// <param name="budget">Most rows.</param>
public sealed class StepBatch(int budget)
{
    readonly List<Sequence> _sequences = [];
    int _limit = int.MaxValue;

    /// <summary>The sequences, each with its <see cref="Sequence.Rows"/>.</summary>
    public ReadOnlySpan<Sequence> Sequences => CollectionsMarshal.AsSpan(_sequences);

    /// <summary>Rows that are still free.</summary>
    public int Left => Math.Min(budget, _limit) - Rows;

    /// <summary>Rows that are taken.</summary>
    public int Rows { get; private set; }

    /// <summary>True when a sequence lost its pages to this step: then nobody new may enter it.</summary>
    public bool Preempted { get; private set; }

    internal void Clear()
    {
        foreach (var sequence in _sequences) sequence.Rows = 0;
        _sequences.Clear();
        (Rows, Preempted, _limit) = (0, false, int.MaxValue);
    }

    /// <summary>Lets in at most so many rows beside those that are taken.</summary>
    internal void LimitTo(int more) => _limit = (int)Math.Min(int.MaxValue, (long)Rows + more);

    internal void Add(Sequence sequence, int rows)
    {
        if (sequence.Rows == 0) _sequences.Add(sequence);
        sequence.Rows += rows;
        Rows += rows;
    }

    internal void Preempt(Sequence victim)
    {
        Preempted = true;
        if (victim.Rows == 0) return;
        _sequences.Remove(victim);
        Rows -= victim.Rows;
        victim.Rows = 0;
    }
}
