namespace Serving.Devices.Cuda;

/// <summary>Positions and page tables of a step on the device; sent once, though every layer asks.</summary>
sealed class StepTables
{
    // As many page groups as one step may name in turn before the first is sent again.
    const int Kept = 8;

    readonly Entry[] _entries;
    int _next;

    /// <summary>Tables in a device's memory.</summary>
    public StepTables(CudaContext context) => _entries = [.. Enumerable.Range(0, Kept).Select(_ => new Entry(context))];

    /// <summary>The tables of a step and a group of pages; valid in the stream's order until eight others were asked for.</summary>
    public Entry Of(RowBatch batch, PageBatch pages)
    {
        foreach (var entry in _entries)
            if (entry.Holds(batch, pages)) return entry;
        // The tables of a step lie where those of the step before lay.
        foreach (var entry in _entries)
            if (entry.IsOf(batch, pages)) return entry.Send(batch, pages);
        _next = (_next + 1) % Kept;
        return _entries[_next].Send(batch, pages);
    }

    /// <summary>Where a step's tables lie.</summary>
    public sealed class Entry(CudaContext context)
    {
        readonly DeviceArray<int> _positions = new(context), _tables = new(context), _pages = new(context);
        RowBatch? _batch;
        PageBatch? _batchPages;
        int _batchRevision, _pagesRevision;
        int[] _starts = [], _flat = [], _ofRows = [];

        /// <summary>The position of each row.</summary>
        public nint Positions { get; private set; }

        /// <summary>Where each row's page table begins.</summary>
        public nint Tables { get; private set; }

        /// <summary>All page tables, one after the other.</summary>
        public nint Pages { get; private set; }

        /// <summary>Another number whenever something was sent.</summary>
        public int Revision { get; private set; }

        /// <summary>Where a run's page table begins.</summary>
        public int Start(int run) => _starts[run];

        /// <summary>Whether these are the tables of a step as it is now.</summary>
        public bool Holds(RowBatch batch, PageBatch pages) =>
            IsOf(batch, pages) && _batchRevision == batch.Revision && _pagesRevision == pages.Revision;

        /// <summary>Whether these are the tables of a step as it is now, or was before.</summary>
        public bool IsOf(RowBatch batch, PageBatch pages) => ReferenceEquals(_batch, batch) && ReferenceEquals(_batchPages, pages);

        /// <summary>Sends what differs from what was sent last.</summary>
        public Entry Send(RowBatch batch, PageBatch pages)
        {
            var count = 0;
            for (var run = 0; run < batch.Runs; run++) count += pages.Of(run).Length;
            if (_starts.Length < batch.Runs) _starts = new int[batch.RunStarts.Length];
            if (_ofRows.Length < batch.Rows) _ofRows = new int[batch.Positions.Length];
            if (_flat.Length < count) _flat = new int[2 * count];
            var at = 0;
            for (var run = 0; run < batch.Runs; run++)
            {
                var table = pages.Of(run);
                _starts[run] = at;
                table.CopyTo(_flat.AsSpan(at));
                _ofRows.AsSpan(batch.RunStarts[run]..batch.RunStarts[run + 1]).Fill(at);
                at += table.Length;
            }
            Positions = _positions.At(batch.Positions.AsSpan(0, batch.Rows));
            Tables = _tables.At(_ofRows.AsSpan(0, batch.Rows));
            Pages = _pages.At(_flat.AsSpan(0, count));
            (_batch, _batchPages, _batchRevision, _pagesRevision) = (batch, pages, batch.Revision, pages.Revision);
            Revision++;
            return this;
        }
    }
}
