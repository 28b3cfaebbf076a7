using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>
/// Attention over keys and values rebuilt from latents. Spans of all runs are rebuilt in waves, as many as scratch memory holds: rows are gathered
/// from their pages, products make the keys and values of all heads, and every unit of queries takes the spans up. States wait between waves;
/// spans merge in order and a rebuilt row depends on its latent alone, so a query's bits depend on neither waves nor chunks.
/// </summary>
sealed class Expanding
{
    // Rows of a wave: 128 MiB, but never less than a span.
    const long WaveBytes = 128 << 20;
    const int Threads = 128, GateThreads = 256;
    const int BlocksOfMultiprocessor = 16;
    const int SpanPages = AttendWork.SpanRows / SpanRows.PageRows;

    readonly CudaContext _context;
    readonly StepTables _tables;
    readonly AttendKernels _kernels;
    readonly Products _products;
    readonly CudaFunction _gather, _ids, _gate;
    readonly CudaScratch _rows, _states;
    readonly DeviceArray<AttendUnit> _units;
    readonly DeviceArray<AttendItem> _items;
    readonly DeviceArray<Segment> _segments;
    readonly DeviceArray<int> _places;
    readonly AttendWork _work = new();
    Segment[] _wave = [];
    int[] _table = [];

    /// <summary>The operation on a device.</summary>
    public Expanding(CudaContext context, StepTables tables, AttendKernels kernels, Products products)
    {
        (_context, _tables, _kernels, _products) = (context, tables, kernels, products);
        var module = context.Module("expand.cu");
        (_gather, _ids, _gate) = (module.Function("gather_rows"), module.Function("ids_of_rows"), module.Function("gate_rows"));
        (_rows, _states, _units, _items, _segments, _places) = (new(context), new(context), new(context), new(context), new(context), new(context));
    }

    /// <summary>Runs the operation; see <see cref="IDevice.AttendExpanded"/>.</summary>
    public void Attend(
        ScoreRule rule, Expansion expansion, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination)
    {
        if (batch.Rows == 0) return;
        var (shape, step) = (expansion.ShapeOver(cached), _tables.Of(batch, pages));
        var layout = new SpanRows(expansion, cached);
        var capacity = (int)Math.Max(SpanPages, WaveBytes / layout.PageBytes);
        var longest = 0;
        for (var run = 0; run < batch.Runs; run++) longest = Math.Max(longest, batch.RunStarts[run + 1] - batch.RunStarts[run]);
        var kernel = _kernels.General(shape, longest);
        var queries = kernel.Queries;

        Cut(shape, rule, batch, queries, out var all);
        var blocks = BlocksOfMultiprocessor * _context.Multiprocessors;
        var slots = (long)_work.Units.Length + Math.Min(blocks, _work.Units.Length);
        var pass = new Pass(rule, expansion, cached, step, kernel)
        {
            Rows = layout.In(_rows.Take(layout.PageBytes * Math.Min(capacity, all)), Math.Min(capacity, all)),
            Blocks = blocks,
            Arguments = new(shape, rule, main, rotary, destination)
            {
                Units = _units.At(_work.Units), Own = _work.Units.Length, States = _states.Take(slots * AttendKernels.SlotFloats(queries, shape.OutputWidth) * sizeof(float)),
            },
        };
        if (_wave.Length < capacity) _wave = new Segment[capacity];
        InWaves(pass, batch, capacity);
    }

    // A run's rows in scratch memory are found by a table of its own, whose entries follow the waves.
    void Cut(AttendShape shape, ScoreRule rule, RowBatch batch, int queries, out int pages)
    {
        var rebuilt = new PagedRows(0, 0, SpanRows.PageRows, 1, 1, CacheType.Float32);
        pages = 0;
        _work.Clear();
        for (var run = 0; run < batch.Runs; run++)
        {
            if (batch.RunStarts[run] == batch.RunStarts[run + 1]) continue;
            var (first, last) = Seen(rule, batch, run);
            _work.Cut(shape, rule, rebuilt, batch, run, pages - first / SpanRows.PageRows, queries);
            pages += last / SpanRows.PageRows - first / SpanRows.PageRows + 1;
        }
        if (_table.Length < pages) _table = new int[2 * pages];
        Array.Clear(_table, 0, pages);
    }

    static (int First, int Last) Seen(ScoreRule rule, RowBatch batch, int run) =>
        (rule.FirstVisible(batch.Positions[batch.RunStarts[run]]), batch.Positions[batch.RunStarts[run + 1] - 1]);

    void InWaves(Pass pass, RowBatch batch, int capacity)
    {
        var (count, table, unit) = (0, 0, 0);
        _work.ClearItems();
        for (var run = 0; run < batch.Runs; run++)
        {
            if (batch.RunStarts[run] == batch.RunStarts[run + 1]) continue;
            var (first, last) = Seen(pass.Rule, batch, run);
            var firstPage = first / SpanRows.PageRows;
            var end = unit;
            while (end < _work.Units.Length && _work.Units[end].Row < batch.RunStarts[run + 1]) end++;
            var begun = first / AttendWork.SpanRows;
            for (var span = begun; span <= last / AttendWork.SpanRows; span++)
            {
                var (from, to) = (Math.Max(firstPage, span * SpanPages), Math.Min(last / SpanRows.PageRows, (span + 1) * SpanPages - 1));
                if (count + to - from + 1 > capacity)
                {
                    Take(unit, end, begun, span);
                    Flush(pass, count);
                    (count, begun) = (0, span);
                }
                for (var page = from; page <= to; page++)
                {
                    _table[table + page - firstPage] = count;
                    _wave[count++] = new(pass.Step.Start(run), page * SpanRows.PageRows, first, last);
                }
            }
            Take(unit, end, begun, last / AttendWork.SpanRows + 1);
            table += last / SpanRows.PageRows - firstPage + 1;
            unit = end;
        }
        Flush(pass, count);
    }

    // Spans `from` up to `to` of units that read one run are in the wave.
    void Take(int unit, int end, int from, int to)
    {
        for (; unit < end; unit++)
        {
            var it = _work.Units[unit];
            var (first, behind) = (Math.Max(from, it.FirstSpan), Math.Min(to, it.EndSpan));
            if (first >= behind) continue;
            var (joins, finishes) = (first > it.FirstSpan, behind == it.EndSpan);
            _work.Add(new(unit, first, behind, joins || !finishes ? unit : -1, joins ? 1 : 0, finishes ? 1 : 0));
        }
    }

    void Flush(Pass pass, int count)
    {
        if (count == 0) return;
        var rows = count * SpanRows.PageRows;
        Rebuild(pass, rows, _segments.At(_wave.AsSpan(0, count)));
        var arguments = pass.Arguments with
        {
            MainRows = pass.Rows.MainRows, RotaryRows = pass.Rows.RotaryRows, ValueRows = pass.Rows.ValueRows, SharedRows = pass.Rows.SharedRows,
            Pages = _places.At(_table), Items = _items.At(_work.ItemList),
        };
        _kernels.Attend(pass.Kernel, Math.Min(_work.Items.Length, pass.Blocks), arguments);
        _work.ClearItems();
    }

    void Rebuild(Pass pass, int rows, nint segments)
    {
        var (cached, scratch) = (pass.Cached, pass.Rows);
        _context.Stream.Launch(_gather, new(rows), Threads, new GatherArguments
        {
            Main = new(cached.Main), Rotary = new(cached.Rotary), Value = new(cached.Value), Shared = new(cached.SharedValue), Ids = new(cached.Ids),
            Segments = segments, Pages = pass.Step.Pages, Rows = scratch.Cached, RowFloats = scratch.CachedFloats,
        });
        var heads = pass.Keys.Stack / cached.Main.Groups;
        for (var group = 0; group < cached.Main.Groups; group++)
        {
            var latents = scratch.Latents(group, rows);
            _products.Multiply(pass.Keys.Part(group * heads, heads), latents, default, Joined(scratch.Keys(rows), group * heads, heads));
            if (pass.Values is not null)
                _products.Multiply(pass.Values.Part(group * heads, heads), latents, default, Joined(scratch.Values(rows), group * heads, heads));
        }
        if (pass.Gate is { } gate) Gate(gate, scratch, rows);
    }

    void Gate(RowGate gate, SpanRows scratch, int rows)
    {
        var (keys, values, heads) = (CudaMatrix.Own(gate.Keys), CudaMatrix.Own(gate.Values), gate.Keys.Stack);
        _context.Stream.Launch(_ids, new((rows + Threads - 1) / Threads), Threads, new IdsArguments
        {
            Rows = scratch.CachedIds, RowFloats = scratch.CachedFloats, Count = rows, Ids = scratch.Ids,
        });
        _products.Embed(CudaMatrix.Own(gate.Embedding).Weights, scratch.Ids, 1, scratch.Embedded(rows));
        _products.Multiply(keys.Part(0, heads), scratch.Embedded(rows), default, scratch.KeyGates(rows).Split(1));
        _products.Multiply(values.Part(0, heads), scratch.Embedded(rows), default, scratch.ValueGates(rows).Split(1));
        _context.Stream.Launch(_gate, new(rows, gate.Norm.Span == GateSpan.Head ? heads : 1), GateThreads, new GateArguments
        {
            Keys = scratch.Keys(rows), Values = scratch.Values(rows), KeyGates = scratch.KeyGates(rows), ValueGates = scratch.ValueGates(rows),
            KeyWeight = gate.Norm.KeyWeight, KeyBias = gate.Norm.KeyBias, ValueWeight = gate.Norm.ValueWeight, ValueBias = gate.Norm.ValueBias,
            Span = gate.Norm.Span, Epsilon = gate.Norm.Epsilon,
        });
    }

    static Tensor Joined(Tensor vectors, int first, int heads)
    {
        var part = vectors.PickHeads(first, heads);
        return part with { Heads = 1, Width = part.Columns, HeadStride = part.Columns };
    }

    /// <summary>What all waves of an operation have in common.</summary>
    sealed record Pass(ScoreRule Rule, Expansion Expansion, AttendRows Cached, StepTables.Entry Step, AttendKernel Kernel)
    {
        public CudaMatrix Keys { get; } = CudaMatrix.Own(Expansion.Keys);

        public CudaMatrix? Values { get; } = Expansion.Values is null ? null : CudaMatrix.Own(Expansion.Values);

        public RowGate? Gate => Expansion.Gate;

        public required SpanRows Rows { get; init; }

        public required int Blocks { get; init; }

        public required AttendArguments Arguments { get; init; }
    }

    [StructLayout(LayoutKind.Sequential)]
    struct GatherArguments
    {
        public StreamArguments Main, Rotary, Value, Shared, Ids;
        public nint Segments, Pages, Rows;
        public int RowFloats;
    }

    [StructLayout(LayoutKind.Sequential)]
    struct IdsArguments
    {
        public nint Rows;
        public int RowFloats, Count;
        public nint Ids;
    }

    [StructLayout(LayoutKind.Sequential)]
    struct GateArguments
    {
        public Tensor Keys, Values, KeyGates, ValueGates, KeyWeight, KeyBias, ValueWeight, ValueBias;
        public GateSpan Span;
        public float Epsilon;
    }
}
