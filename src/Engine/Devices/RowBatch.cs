namespace Serving.Devices;

/// <summary>
/// The token rows of one step: runs of consecutive positions, one run an owner. Arrays are reused from step to step;
/// only the first <see cref="Rows"/> (<see cref="Runs"/>) entries count.
/// </summary>
/// <param name="maxRows">Most rows of a step.</param>
/// <param name="maxRuns">Most runs of a step.</param>
public sealed class RowBatch(int maxRows, int maxRuns)
{
    /// <summary>Token rows in this step.</summary>
    public int Rows { get; private set; }

    /// <summary>Runs in this step.</summary>
    public int Runs { get; private set; }

    /// <summary>Position of each row in its owner.</summary>
    public int[] Positions { get; } = new int[maxRows];

    /// <summary>First row of each run, and behind the last run the number of rows.</summary>
    public int[] RunStarts { get; } = new int[maxRuns + 1];

    /// <summary>The greatest position; -1 where there is no row.</summary>
    public int Last { get; private set; } = -1;

    /// <summary>Another number whenever the step has changed.</summary>
    public int Revision { get; private set; }

    /// <summary>Starts an empty step.</summary>
    public void Clear() => (Rows, Runs, RunStarts[0], Last, Revision) = (0, 0, 0, -1, Revision + 1);

    /// <summary>Adds a run of <paramref name="count"/> rows that starts at <paramref name="position"/>.</summary>
    public void Add(int position, int count)
    {
        for (var i = 0; i < count; i++) Positions[Rows + i] = position + i;
        Rows += count;
        if (count > 0) Last = Math.Max(Last, position + count - 1);
        RunStarts[++Runs] = Rows;
        Revision++;
    }
}

/// <summary>The page table of every run of a step, for one group of layers whose pages live equally long.</summary>
/// <param name="maxRuns">Most runs of a step.</param>
public sealed class PageBatch(int maxRuns)
{
    readonly int[] _starts = new int[maxRuns + 1];
    int[] _pages = new int[1024];
    int _runs;

    /// <summary>Another number whenever a table has changed.</summary>
    public int Revision { get; private set; }

    /// <summary>Starts an empty step.</summary>
    public void Clear() => (_runs, Revision) = (0, Revision + 1);

    /// <summary>Adds the next run's table: entry i is the page of the rows i * RowsPerPage and on. Entries behind a window are never read.</summary>
    public void Add(ReadOnlySpan<int> pages)
    {
        var start = _starts[_runs];
        if (start + pages.Length > _pages.Length) Array.Resize(ref _pages, Math.Max(2 * _pages.Length, start + pages.Length));
        pages.CopyTo(_pages.AsSpan(start));
        _starts[++_runs] = start + pages.Length;
        Revision++;
    }

    /// <summary>The page table of a run.</summary>
    public ReadOnlySpan<int> Of(int run) => _pages.AsSpan(_starts[run], _starts[run + 1] - _starts[run]);
}
