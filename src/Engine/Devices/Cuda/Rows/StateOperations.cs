using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>Updates of states, and convolutions over what they recall. Runs of one place follow one another, others act side by side.</summary>
sealed class StateOperations
{
    const int Threads = 128;
    const int DeltaColumns = 32;
    const int OwnSharedBytes = 2 << 10;

    readonly CudaContext _context;
    readonly CudaFunction _recall, _accumulate, _delta, _convolve;
    readonly DeviceArray<StateRun> _runs;
    readonly DeviceArray<int> _chains;
    readonly int _sharedBytes;
    StateRun[] _ordered = [];
    int[] _starts = [];

    /// <summary>The operations of a device.</summary>
    public StateOperations(CudaContext context)
    {
        _context = context;
        _sharedBytes = context.SharedBytes - OwnSharedBytes;
        var module = context.Module("states.cu");
        _recall = module.Function("recall");
        _accumulate = module.Function("accumulate");
        _delta = module.Function("delta", _sharedBytes);
        _convolve = module.Function("convolve");
        (_runs, _chains) = (new(context), new(context));
    }

    /// <summary>Every vector beside those of the rows before it.</summary>
    public void Recall(Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        var arguments = new RecallArguments { States = Of(state, batch, places, out var chains), Source = source, Destination = destination, Before = state.Width / source.Columns };
        _context.Stream.Launch(_recall, new(chains, Blocks(source.Columns)), Threads, arguments);
    }

    /// <summary>Running sums.</summary>
    public void Accumulate(RunningSum rule, Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        var arguments = new AccumulateArguments
        {
            States = Of(state, batch, places, out var chains), Source = source, Destination = destination, Decay = rule.Decay, Gain = rule.Gain, Period = rule.Period,
        };
        _context.Stream.Launch(_accumulate, new(chains, Blocks(source.Columns)), Threads, arguments);
    }

    /// <summary>The delta rule.</summary>
    public void Delta(DeltaRows rows, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        var (keys, values) = (rows.Key.Width, rows.Value.Width);
        var (vectors, memory) = (3 * keys * sizeof(float), keys * DeltaColumns * sizeof(float));
        if (vectors > _sharedBytes) throw new ArgumentException($"Cannot apply the delta rule: keys of {keys} values do not fit into {_sharedBytes:N0} bytes.", nameof(rows));
        var fits = vectors + memory <= _sharedBytes;
        var arguments = new DeltaArguments
        {
            States = Of(state, batch, places, out var chains), Query = rows.Query, Key = rows.Key, Value = rows.Value, Decay = rows.LogDecay, Strength = rows.Strength,
            Destination = destination, Shared = fits ? 1 : 0,
        };
        _context.Stream.Launch(
            _delta, new(chains, rows.Key.Heads, (values + DeltaColumns - 1) / DeltaColumns), Threads, arguments, vectors + (fits ? memory : 0));
    }

    /// <summary>A convolution over windows, value by value.</summary>
    public void Convolve(Tensor windows, Tensor weights, Tensor bias, Tensor destination) =>
        _context.Stream.Launch(_convolve, new(destination.Rows, Blocks(destination.Columns)), Threads, new ConvolveArguments
        {
            Windows = windows, Weights = weights, Bias = bias, Destination = destination,
        });

    static int Blocks(int columns) => (columns + Threads - 1) / Threads;

    // As many chains as runs, some of them empty: a grid tells how many runs there are and not how they depend on one another.
    StateArguments Of(StateRows state, RowBatch batch, StateBatch places, out int chains)
    {
        var filled = Order(batch, places);
        chains = batch.Runs;
        _starts.AsSpan(filled + 1, chains - filled).Fill(_starts[filled]);
        return new()
        {
            States = state.Address, PlaceBytes = state.PlaceBytes,
            Runs = _runs.At(_ordered.AsSpan(0, _starts[filled])), Chains = _chains.At(_starts.AsSpan(0, chains + 1)),
        };
    }

    // A chain is the runs of one place, in their order. Where a run leaves its state in a place that another run has, order is kept by one chain of all.
    int Order(RowBatch batch, StateBatch places)
    {
        if (_ordered.Length < batch.Runs || _starts.Length < batch.Runs + 1) (_ordered, _starts) = (new StateRun[batch.Runs], new int[batch.Runs + 1]);
        var (count, chains, mixed) = (0, 0, Mixes(places));
        _starts[0] = 0;
        for (var run = 0; run < batch.Runs; run++)
        {
            if (mixed ? run > 0 : places.Places[..run].Contains(places.Places[run])) continue;
            for (var next = run; next < batch.Runs; next++)
                if (batch.RunStarts[next] < batch.RunStarts[next + 1] && (mixed || places.Places[next] == places.Places[run]))
                    _ordered[count++] = new(
                        batch.RunStarts[next], batch.RunStarts[next + 1], batch.Positions[batch.RunStarts[next]], places.Places[next], places.Saves[next]);
            if (count > _starts[chains]) _starts[++chains] = count;
        }
        return chains;
    }

    static bool Mixes(StateBatch places)
    {
        for (var run = 0; run < places.Runs; run++)
            if (places.Saves[run] != StateBatch.None && (places.Places.Contains(places.Saves[run]) || places.Saves[..run].Contains(places.Saves[run]))) return true;
        return false;
    }

    [StructLayout(LayoutKind.Sequential)]
    readonly record struct StateRun(int Start, int End, int Position, int Place, int Save);

    [StructLayout(LayoutKind.Sequential)]
    struct StateArguments
    {
        public nint States;
        public long PlaceBytes;
        public nint Runs, Chains;
    }

    [StructLayout(LayoutKind.Sequential)]
    struct RecallArguments
    {
        public StateArguments States;
        public Tensor Source, Destination;
        public int Before;
    }

    [StructLayout(LayoutKind.Sequential)]
    struct AccumulateArguments
    {
        public StateArguments States;
        public Tensor Source, Destination;
        public float Decay, Gain;
        public int Period;
    }

    [StructLayout(LayoutKind.Sequential)]
    struct DeltaArguments
    {
        public StateArguments States;
        public Tensor Query, Key, Value, Decay, Strength, Destination;
        public int Shared;
    }

    [StructLayout(LayoutKind.Sequential)]
    struct ConvolveArguments
    {
        public Tensor Windows, Weights, Bias, Destination;
    }
}
