using System.Runtime.InteropServices;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>Neighbouring runs of a step that are executed alike.</summary>
/// <param name="maxRows">Most rows of a step.</param>
/// <param name="maxRuns">Most runs of a step.</param>
/// <param name="pageGroups">Groups of layers with page tables of their own.</param>
public sealed class StepSegment(int maxRows, int maxRuns, int pageGroups)
{
    /// <summary>Whether keys and values are rebuilt.</summary>
    public bool Expanded { get; private set; }

    /// <summary>Its first row in the step.</summary>
    public int First { get; private set; }

    /// <summary>Its rows.</summary>
    public RowBatch Rows { get; } = new(maxRows, maxRuns);

    /// <summary>Their page tables.</summary>
    public PageBatch[] Pages { get; } = [.. Enumerable.Range(0, pageGroups).Select(_ => new PageBatch(maxRuns))];

    /// <summary>Its rows of a tensor that holds those of the whole step.</summary>
    public Tensor Of(Tensor rows) => rows.IsEmpty ? rows : rows.Range(First, Rows.Rows);

    /// <summary>Takes the runs from <paramref name="run"/> up to <paramref name="end"/> of a step.</summary>
    public void Take(StepInput step, int run, int end)
    {
        (Expanded, First) = (step.Expanded[run], step.Rows.RunStarts[run]);
        Rows.Clear();
        foreach (var pages in Pages) pages.Clear();
        for (; run < end; run++)
        {
            var start = step.Rows.RunStarts[run];
            Rows.Add(step.Rows.Positions[start], step.Rows.RunStarts[run + 1] - start);
            for (var group = 0; group < Pages.Length; group++) Pages[group].Add(step.Pages[group].Of(run));
        }
    }
}

/// <summary>A step cut where the execution of its runs changes; made once a step, for all layers.</summary>
public sealed class StepSegments
{
    readonly List<StepSegment> _segments = [];
    int _count;

    /// <summary>The segments in the order of the rows.</summary>
    public ReadOnlySpan<StepSegment> All => CollectionsMarshal.AsSpan(_segments)[.._count];

    /// <summary>Cuts a step.</summary>
    public void Cut(StepInput step)
    {
        _count = 0;
        for (int run = 0, end; run < step.Rows.Runs; run = end)
        {
            for (end = run + 1; end < step.Rows.Runs && step.Expanded[end] == step.Expanded[run];) end++;
            if (_count == _segments.Count) _segments.Add(new(step.Tokens.Length, step.Expanded.Length, step.Pages.Length));
            _segments[_count++].Take(step, run, end);
        }
    }
}
