using Serving.Devices.Cpu;

namespace Serving.Devices;

/// <summary>Runs on the processor: kernels of 512 bits, which narrower classes do in parts, and a team of threads.</summary>
public sealed unsafe class CpuDevice : IDevice
{
    readonly WorkerTeam _team;
    readonly Products _products;
    readonly Attending _attending;
    readonly Expanding _expanding;
    readonly RowOperations _rows;
    readonly StateOperations _states;
    readonly Dictionary<nint, long> _memory = [];
    readonly MatrixMemory _matrices = new();

    readonly ActivationType _activations;

    /// <summary>A device of as many threads, the caller's included; 0 takes one for each processor.</summary>
    /// <param name="threads">Threads.</param>
    /// <param name="activations">How far products may round their inputs.</param>
    /// <param name="pinned">Whether each thread keeps to a processor of its own, the caller of an engine among them.</param>
    public CpuDevice(int threads = 0, ActivationType activations = ActivationType.Float32, bool pinned = false)
    {
        _activations = activations;
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        _team = new WorkerTeam(threads == 0 ? Environment.ProcessorCount : threads, pinned);
        _products = new Products(_team);
        _attending = new Attending(_team);
        _rows = new RowOperations(_team);
        _expanding = new Expanding(_team, _products, _rows);
        _states = new StateOperations(_team);
    }

    /// <inheritdoc/>
    public string Description =>
        $"CPU, {Kernels.Name(Kernels.Here)} kernels{PairKernel.Describe(_activations)}, {_team.Workers} thread(s)";

    /// <inheritdoc/>
    public long FreeBytes => SystemMemory.FreeBytes();

    /// <inheritdoc/>
    public DeviceCeiling Measure() => CeilingJobs.Measure(_team);

    /// <inheritdoc/>
    public bool KeepsSource => false;

    /// <inheritdoc/>
    public nint Allocate(long bytes)
    {
        var address = SystemMemory.Take(bytes);
        _memory.Add(address, bytes);
        return address;
    }

    /// <inheritdoc/>
    public void Free(nint address)
    {
        if (!_memory.Remove(address, out var bytes))
            throw new ArgumentException($"Address {address:x} was not allocated by this device.", nameof(address));
        SystemMemory.Give(address, bytes);
    }

    /// <inheritdoc/>
    public Matrix Load(StoredTensor source)
    {
        ArgumentNullException.ThrowIfNull(source);
        ShapeChecks.Load(source);
        var (stack, outputs) = source.Shape.Length == 2 ? (1, source.Shape[0]) : (source.Shape[0], source.Shape[1]);
        var matrix = new CpuMatrix(_matrices, source.Type, stack, outputs, source.Columns, PairKernel.Of(source.Type, _activations));
        matrix.Format.Pack(_team, source, matrix);
        return matrix;
    }

    /// <inheritdoc/>
    public void Write(ReadOnlySpan<float> source, Tensor destination)
    {
        ShapeChecks.Copy(destination, source.Length);
        for (var row = 0; row < destination.Rows; row++)
            for (var head = 0; head < destination.Heads; head++)
                source.Slice((row * destination.Heads + head) * destination.Width, destination.Width)
                    .CopyTo(new Span<float>(destination.At(row, head), destination.Width));
    }

    /// <inheritdoc/>
    public void Read(Tensor source, Span<float> destination)
    {
        ShapeChecks.Copy(source, destination.Length);
        _rows.Read(source, destination);
    }

    /// <inheritdoc/>
    public void Embed(Matrix table, ReadOnlySpan<int> ids, float scale, Tensor destination)
    {
        ShapeChecks.Embed(table, ids, destination);
        _rows.Embed(Own(table), ids, scale, destination);
    }

    /// <inheritdoc/>
    public void Multiply(Matrix weights, Tensor source, Tensor bias, Tensor destination)
    {
        ShapeChecks.Multiply(weights, source, bias, destination);
        _products.Multiply(Own(weights), source, bias, destination);
    }

    /// <inheritdoc/>
    public void MultiplyHeads(Matrix weights, Tensor source, Tensor destination)
    {
        ShapeChecks.MultiplyHeads(weights, source, destination);
        _products.MultiplyHeads(Own(weights), source, destination);
    }

    /// <inheritdoc/>
    public void MultiplyExperts(Matrix experts, Tensor source, Tensor biases, RoutedExperts routed, Tensor destination)
    {
        ShapeChecks.MultiplyExperts(experts, source, biases, routed, destination);
        _products.MultiplyExperts(Own(experts), source, biases, routed, destination);
    }

    /// <inheritdoc/>
    public void Route(RoutingRule rule, Tensor logits, Tensor bias, RoutedExperts routed)
    {
        ShapeChecks.Route(rule, logits, bias, routed);
        _rows.Route(rule, logits, bias, routed);
    }

    /// <inheritdoc/>
    public void CombineExperts(Tensor source, Tensor input, int experts, RoutedExperts routed, Tensor destination)
    {
        ShapeChecks.CombineExperts(source, input, routed, destination);
        RowOperations.CombineExperts(source, input, experts, routed, destination);
    }

    /// <inheritdoc/>
    public void Normalize(Norm norm, Tensor source, Tensor destination)
    {
        ShapeChecks.Normalize(norm, source, destination);
        _rows.Normalize(norm, source, destination);
    }

    /// <inheritdoc/>
    public void Rotate(Tensor vectors, Tensor angles, bool interleaved)
    {
        ShapeChecks.Rotate(vectors, angles);
        _rows.Rotate(vectors, angles, interleaved);
    }

    /// <inheritdoc/>
    public void Activate(GateRule rule, Tensor gate, Tensor up, Tensor destination)
    {
        ShapeChecks.Activate(rule, gate, up, destination);
        _rows.Activate(rule, gate, up, destination);
    }

    /// <inheritdoc/>
    public void Add(Tensor source, float scale, Tensor destination)
    {
        ShapeChecks.Same("add", source, destination);
        _rows.Add(source, scale, destination);
    }

    /// <inheritdoc/>
    public void Scale(Tensor destination, float factor, Tensor factors)
    {
        ShapeChecks.Scale(destination, factors);
        _rows.Scale(destination, factor, factors);
    }

    /// <inheritdoc/>
    public void Gather(Tensor source, ReadOnlySpan<int> rows, Tensor destination)
    {
        ShapeChecks.Gather(source, rows, destination);
        RowOperations.Gather(source, rows, destination);
    }

    /// <inheritdoc/>
    public void WriteRows(Tensor source, PagedRows stream, RowBatch batch, PageBatch pages)
    {
        ShapeChecks.WriteRows(source, stream, batch, pages);
        PageRows.Write(source, stream, batch, pages);
    }

    /// <inheritdoc/>
    public void Attend(
        AttendShape shape, ScoreRule rule, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination)
    {
        ShapeChecks.Attend(shape, cached, batch, pages);
        ShapeChecks.Attend(shape, rule, batch, main, rotary, destination);
        _attending.Attend(shape, rule, main, rotary, cached, batch, pages, destination);
    }

    /// <inheritdoc/>
    public void AttendExpanded(
        ScoreRule rule, Expansion expansion, Tensor main, Tensor rotary, AttendRows cached, RowBatch batch, PageBatch pages, Tensor destination)
    {
        ShapeChecks.AttendExpanded(expansion, cached, batch, pages);
        ShapeChecks.Attend(expansion.ShapeOver(cached), rule, batch, main, rotary, destination);
        if (expansion.Values is null)
        {
            _attending.Attend(Own(expansion.Keys), rule, main, rotary, cached, batch, pages, destination);
            return;
        }
        var gate = expansion.Gate is { } rows ? new CpuGate(Own(rows.Embedding), Own(rows.Keys), Own(rows.Values), rows.Norm) : null;
        _expanding.Attend(rule, Own(expansion.Keys), Own(expansion.Values), gate, main, rotary, cached, batch, pages, destination);
    }

    /// <inheritdoc/>
    public void CopyPages(PagedRows stream, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        ShapeChecks.CopyPages(from, to);
        CopyPages(stream, from, stream, to);
    }

    /// <inheritdoc/>
    public nint AllocateHost(long bytes) => Allocate(bytes);

    /// <inheritdoc/>
    public void FreeHost(nint address) => Free(address);

    /// <inheritdoc/>
    public void SwapPages(Swap way, PagedRows stream, PagedRows host, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        ShapeChecks.SwapPages(stream, host, from, to);
        if (way == Swap.Out) CopyPages(stream, from, host, to);
        else CopyPages(host, from, stream, to);
    }

    static void CopyPages(PagedRows source, ReadOnlySpan<int> from, PagedRows destination, ReadOnlySpan<int> to)
    {
        var bytes = (long)source.RowsPerPage * source.Groups * source.VectorBytes;
        for (var i = 0; i < from.Length; i++)
            Buffer.MemoryCopy(PageRows.At(source, from[i], 0, 0), PageRows.At(destination, to[i], 0, 0), bytes, bytes);
    }

    /// <inheritdoc/>
    public void Recall(Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        ShapeChecks.Recall(source, state, batch, places, destination);
        _states.Recall(source, state, batch, places, destination);
    }

    /// <inheritdoc/>
    public void Convolve(Tensor windows, Tensor weights, Tensor bias, Tensor destination)
    {
        ShapeChecks.Convolve(windows, weights, bias, destination);
        _rows.Convolve(windows, weights, bias, destination);
    }

    /// <inheritdoc/>
    public void Accumulate(RunningSum rule, Tensor source, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        ShapeChecks.Accumulate(source, state, batch, places, destination);
        _states.Accumulate(rule, source, state, batch, places, destination);
    }

    /// <inheritdoc/>
    public void Delta(DeltaRows rows, StateRows state, RowBatch batch, StateBatch places, Tensor destination)
    {
        ShapeChecks.Delta(rows, state, batch, places, destination);
        _states.Delta(rows, state, batch, places, destination);
    }

    /// <inheritdoc/>
    public void Dot(Tensor left, Tensor right, Tensor destination)
    {
        ShapeChecks.Dot(left, right, destination);
        _rows.Dot(left, right, destination);
    }

    /// <inheritdoc/>
    public void Softmax(Tensor vectors) => _rows.Softmax(vectors);

    /// <summary>Ends the threads and gives all memory back, that of the matrices included.</summary>
    public void Dispose()
    {
        _team.Dispose();
        _products.Dispose();
        _attending.Dispose();
        _expanding.Dispose();
        _rows.Dispose();
        _matrices.Dispose();
        foreach (var (address, bytes) in _memory) SystemMemory.Give(address, bytes);
        _memory.Clear();
    }

    static CpuMatrix Own(Matrix matrix) => matrix as CpuMatrix
        ?? throw new ArgumentException($"The matrix is a {matrix.GetType().Name}, not one that a CPU device has loaded.", nameof(matrix));
}
