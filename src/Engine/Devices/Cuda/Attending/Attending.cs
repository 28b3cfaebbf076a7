namespace Serving.Devices.Cuda;

/// <summary>Attention over cached rows.</summary>
sealed class Attending(CudaContext context, StepTables tables, AttendKernels kernels)
{
    // States that wait to be merged: 64 MiB. Blocks that go on to a second item: as many as may run at once, several times.
    const long StateFloats = 16 << 20;
    const int BlocksOfMultiprocessor = 16;

    readonly CudaScratch _states = new(context);
    readonly Dictionary<Facts, Shared> _shared = [];

    /// <summary>Runs the operation; see <see cref="IDevice.Attend"/>.</summary>
    public void Attend(
        AttendShape shape, ScoreRule rule, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination)
    {
        if (batch.Rows == 0) return;
        var step = tables.Of(batch, pages);
        var longest = 0;
        for (var run = 0; run < batch.Runs; run++) longest = Math.Max(longest, batch.RunStarts[run + 1] - batch.RunStarts[run]);
        var kernel = kernels.Choose(shape, rule, cached, longest);
        var queries = kernel.Queries;
        var facts = new Facts(
            step, shape.QueryHeads, shape.Groups, shape.OutputWidth, rule.Window, rule.Chunk, cached.Main.Stride, cached.Main.RowsPerPage, queries);
        if (!_shared.TryGetValue(facts, out var shared)) _shared.Add(facts, shared = new(context));
        shared.Cut(facts, shape, rule, cached.Main, batch);
        var work = shared.Work;
        var slot = AttendKernels.SlotFloats(queries, shape.OutputWidth);
        var blocks = Blocks(work);
        // The blocks' own slots lie before those of the items: where these begin does not depend on how many there are.
        var states = _states.Take((blocks + work.Slots) * slot * sizeof(float)) + (nint)(blocks * slot * sizeof(float));
        var arguments = new AttendArguments(shape, rule, main, rotary, destination)
        {
            MainRows = new(cached.Main), RotaryRows = new(cached.Rotary),
            ValueRows = new(shape.ValueInMain ? cached.Main : cached.Value), SharedRows = new(cached.SharedValue), ClassRows = new(cached.Ids),
            Pages = step.Pages, Units = shared.Units, Items = shared.Items, States = states, Own = -blocks,
            Terms = kernels.Terms, Widens = TensorShared.Widens(shape, cached) ? 1 : 0,
        };
        kernels.Attend(kernel, blocks, arguments);
        if (work.Merges.Length == 0 && !context.Stream.Repeats) return;
        kernels.Merge(queries, Math.Min(work.Units.Length, context.Multiprocessors), new()
        {
            Destination = destination, Sinks = rule.Sinks, Units = shared.Units, Merges = shared.Merges, States = states,
            Queries = queries, OutputWidth = shape.OutputWidth,
        });
    }

    // A step that is repeated has as many whatever its lengths are: one for each unit, or twice as many as run at once, among which few units are split.
    int Blocks(AttendWork work)
    {
        var most = BlocksOfMultiprocessor * context.Multiprocessors;
        return context.Stream.Repeats ? Math.Clamp(work.Units.Length, Busy(context), most) : Math.Min(work.Items.Length, most);
    }

    static int Busy(CudaContext context) => 2 * context.Multiprocessors;

    /// <summary>What cutting depends on beside the step; a model has a few.</summary>
    readonly record struct Facts(
        StepTables.Entry Step, int QueryHeads, int Groups, int OutputWidth, int Window, int Chunk, int Stride, int RowsPerPage, int Queries);

    /// <summary>A step's work, which layers of the same facts share.</summary>
    sealed class Shared(CudaContext context)
    {
        readonly DeviceArray<AttendUnit> _units = new(context);
        readonly DeviceArray<AttendItem> _items = new(context);
        readonly DeviceArray<AttendMerge> _merges = new(context);
        int _revision = -1;

        public AttendWork Work { get; } = new();

        public nint Units { get; private set; }

        public nint Items { get; private set; }

        public nint Merges { get; private set; }

        public void Cut(Facts facts, AttendShape shape, ScoreRule rule, PagedRows rows, RowBatch batch)
        {
            if (_revision == facts.Step.Revision) return;
            Work.Clear();
            for (var run = 0; run < batch.Runs; run++) Work.Cut(shape, rule, rows, batch, run, facts.Step.Start(run), facts.Queries);
            var slots = StateFloats / AttendKernels.SlotFloats(facts.Queries, shape.OutputWidth);
            Work.Share(Busy(context), (int)Math.Min(slots, int.MaxValue), rows.IsStrided);
            (Units, Items, Merges) = (_units.At(Work.Units), _items.At(Work.ItemList), _merges.At(Work.MergeList));
            _revision = facts.Step.Revision;
        }
    }
}
