using Serving.Devices.Cuda;

namespace Serving.Devices;

/// <summary>
/// The operations on a GPU of NVIDIA's, from compute capability 8.0 on, over its driver alone. All work goes to one stream in the order of the
/// calls; only <see cref="Read"/> waits for it.
/// </summary>
public sealed partial class CudaDevice : IDevice, ITokenChooser
{
    readonly CudaContext _context;
    readonly Elements _elements;
    readonly Products _products;
    readonly Experts _experts;
    readonly Choosing _choosing;
    readonly bool _graphs;

    /// <summary>Takes a device and makes its kernels; throws <see cref="CudaException"/> with what to do where that cannot be.</summary>
    public CudaDevice(CudaOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_context, _graphs) = (new(options), options.Graphs);
        try
        {
            _elements = new(_context);
            _products = new(_context, _elements, options.Activations);
            _experts = new(_context);
            _choosing = new(_context);
            var tables = new StepTables(_context);
            _pages = new(_context, tables);
            var kernels = new AttendKernels(_context, options.Activations);
            _attending = new(_context, tables, kernels);
            _expanding = new(_context, tables, kernels, _products);
            _states = new(_context);
        }
        catch
        {
            _context.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public string Description => _context.Description;

    /// <inheritdoc/>
    public long FreeBytes
    {
        get
        {
            _context.Enter();
            return _context.Driver.Memory().Free;
        }
    }

    /// <inheritdoc/>
    public DeviceCeiling Measure() => Ceilings.Measure(_context);

    /// <inheritdoc/>
    public bool KeepsSource => false;

    /// <inheritdoc/>
    public nint Allocate(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        var address = _context.Allocate(bytes);
        _context.Stream.Clear(address, bytes);
        return address;
    }

    /// <inheritdoc/>
    public void Free(nint address) => _context.Free(address);

    /// <inheritdoc/>
    public Matrix Load(StoredTensor source)
    {
        ArgumentNullException.ThrowIfNull(source);
        ShapeChecks.Load(source);
        var address = _context.Allocate(source.ByteLength);
        _context.Stream.Send(source.Data, address, source.ByteLength);
        return new CudaMatrix(source, address);
    }

    /// <inheritdoc/>
    public bool RepeatsSteps => _graphs && _context.Stream.MakesGraphs;

    /// <inheritdoc/>
    public void BeginStep(bool repeats) => _context.Stream.Begin(repeats && RepeatsSteps);

    /// <inheritdoc/>
    public void Write(ReadOnlySpan<float> source, Tensor destination)
    {
        ShapeChecks.Copy(destination, source.Length);
        _elements.Write(source, destination);
    }

    /// <inheritdoc/>
    public void Read(Tensor source, Span<float> destination)
    {
        ShapeChecks.Copy(source, destination.Length);
        _elements.Read(source, destination);
    }

    /// <inheritdoc/>
    public void Embed(Matrix table, ReadOnlySpan<int> ids, float scale, Tensor destination)
    {
        ShapeChecks.Embed(table, ids, destination);
        _products.Embed(CudaMatrix.Own(table).Weights, _context.Stream.Upload(ids), scale, destination);
    }

    /// <inheritdoc/>
    public void Multiply(Matrix weights, Tensor source, Tensor bias, Tensor destination)
    {
        ShapeChecks.Multiply(weights, source, bias, destination);
        _products.Multiply(CudaMatrix.Own(weights).Weights, source, bias, destination);
    }

    /// <inheritdoc/>
    public void MultiplyHeads(Matrix weights, Tensor source, Tensor destination)
    {
        ShapeChecks.MultiplyHeads(weights, source, destination);
        _products.MultiplyHeads(CudaMatrix.Own(weights).Weights, source, destination);
    }

    /// <inheritdoc/>
    public void MultiplyExperts(Matrix experts, Tensor source, Tensor biases, RoutedExperts routed, Tensor destination)
    {
        ShapeChecks.MultiplyExperts(experts, source, biases, routed, destination);
        _products.MultiplyExperts(CudaMatrix.Own(experts).Weights, source, biases, routed, destination);
    }

    /// <inheritdoc/>
    public void Route(RoutingRule rule, Tensor logits, Tensor bias, RoutedExperts routed)
    {
        ShapeChecks.Route(rule, logits, bias, routed);
        _experts.Route(rule, logits, bias, routed);
    }

    /// <inheritdoc/>
    public void CombineExperts(Tensor source, Tensor input, int experts, RoutedExperts routed, Tensor destination)
    {
        ShapeChecks.CombineExperts(source, input, routed, destination);
        _experts.Combine(source, input, experts, routed, destination);
    }

    /// <inheritdoc/>
    public void Normalize(Norm norm, Tensor source, Tensor destination)
    {
        ShapeChecks.Normalize(norm, source, destination);
        _elements.Normalize(norm, source, destination);
    }

    /// <inheritdoc/>
    public void Rotate(Tensor vectors, Tensor angles, bool interleaved)
    {
        ShapeChecks.Rotate(vectors, angles);
        _elements.Rotate(vectors, angles, interleaved);
    }

    /// <inheritdoc/>
    public void Activate(GateRule rule, Tensor gate, Tensor up, Tensor destination)
    {
        ShapeChecks.Activate(rule, gate, up, destination);
        _elements.Activate(rule, gate, up, destination);
    }

    /// <inheritdoc/>
    public void Add(Tensor source, float scale, Tensor destination)
    {
        ShapeChecks.Same("add", source, destination);
        _elements.Add(source, scale, destination);
    }

    /// <inheritdoc/>
    public void Scale(Tensor destination, float factor, Tensor factors)
    {
        ShapeChecks.Scale(destination, factors);
        _elements.Scale(destination, factor, factors);
    }

    /// <inheritdoc/>
    public void Gather(Tensor source, ReadOnlySpan<int> rows, Tensor destination)
    {
        ShapeChecks.Gather(source, rows, destination);
        _elements.Gather(source, rows, destination);
    }

    /// <inheritdoc/>
    public void Dot(Tensor left, Tensor right, Tensor destination)
    {
        ShapeChecks.Dot(left, right, destination);
        _elements.Dot(left, right, destination);
    }

    /// <inheritdoc/>
    public void Softmax(Tensor vectors) => _elements.Softmax(vectors);

    /// <inheritdoc/>
    public void Choose(Tensor logits, ChoiceBatch batch, int firstRow)
    {
        ShapeChecks.Choose(logits, batch, firstRow);
        _choosing.Choose(logits, batch, firstRow);
    }

    /// <inheritdoc/>
    public void Chosen(Span<int> ids) => _choosing.Read(ids);

    /// <summary>Waits for the work that was asked for and gives all memory back, that of the matrices included.</summary>
    public void Dispose()
    {
        _context.Dispose();
    }
}
