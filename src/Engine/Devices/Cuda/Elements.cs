using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>Operations that take each vector or each value alone, as launches: <c>elements.cu</c> says what each does.</summary>
sealed class Elements
{
    const int Values = 256;

    readonly CudaStream _stream;
    readonly CudaScratch _scratch;
    readonly CudaFunction _normalize, _softmax, _dot, _rotate, _activate, _add, _scale, _copy;

    /// <summary>The operations of a context.</summary>
    public Elements(CudaContext context)
    {
        (_stream, _scratch) = (context.Stream, new(context));
        var module = context.Module("elements.cu");
        _normalize = module.Function("normalize");
        _softmax = module.Function("softmax");
        _dot = module.Function("dot");
        _rotate = module.Function("rotate");
        _activate = module.Function("activate");
        _add = module.Function("add");
        _scale = module.Function("scale");
        _copy = module.Function("copy_rows");
    }

    /// <summary>Host values to a tensor.</summary>
    public void Write(ReadOnlySpan<float> source, Tensor destination)
    {
        var bytes = MemoryMarshal.AsBytes(source);
        if (IsPacked(destination) && !_stream.Keeps)
        {
            _stream.Send(bytes, destination.Address);
            return;
        }
        Copy(Packed(destination, _stream.Upload(bytes)), destination);
    }

    /// <summary>A tensor to host values, row by row.</summary>
    public void Read(Tensor source, Span<float> destination)
    {
        if (!IsPacked(source))
        {
            var packed = Packed(source, _scratch.Take((long)source.Rows * source.Columns * sizeof(float)));
            Copy(source, packed);
            source = packed;
        }
        _stream.Fetch(source.Address, MemoryMarshal.AsBytes(destination));
    }

    /// <summary>Rows as they are.</summary>
    public void Copy(Tensor source, Tensor destination) => Copy(source, 0, destination);

    /// <summary>Rows of a tensor.</summary>
    public void Gather(Tensor source, ReadOnlySpan<int> rows, Tensor destination) => Copy(source, _stream.Upload(rows), destination);

    /// <summary>Normalises every vector.</summary>
    public void Normalize(Norm norm, Tensor source, Tensor destination) => _stream.Launch(
        _normalize, new(source.Rows, source.Heads), Threads(source.Width),
        new NormalizeArguments(source, norm.Weight, norm.Bias, destination, norm.Kind, norm.Epsilon, norm.Offset));

    /// <summary>Softmax of every vector.</summary>
    public void Softmax(Tensor vectors) => _stream.Launch(_softmax, new(vectors.Rows, vectors.Heads), Threads(vectors.Width), vectors);

    /// <summary>Sums of products of vectors.</summary>
    public void Dot(Tensor left, Tensor right, Tensor destination) => _stream.Launch(
        _dot, new(left.Rows, left.Heads), Threads(left.Width), new DotArguments(left, right, destination));

    /// <summary>Turns pairs of every vector.</summary>
    public void Rotate(Tensor vectors, Tensor angles, bool interleaved) => _stream.Launch(
        _rotate, new(vectors.Rows, Blocks(vectors.Columns / 2)), Values, new RotateArguments(vectors, angles, interleaved ? 1 : 0));

    /// <summary>Activates and gates.</summary>
    public void Activate(GateRule rule, Tensor gate, Tensor up, Tensor destination) => _stream.Launch(
        _activate, Grid(gate), Values, new ActivateArguments(
            gate, up, destination, rule.Function, rule.Sharpness, rule.GateLimit, rule.ResultLimit, rule.UpLimit, rule.UpOffset));

    /// <summary>destination += source * scale.</summary>
    public void Add(Tensor source, float scale, Tensor destination) =>
        _stream.Launch(_add, Grid(source), Values, new AddArguments(source, destination, scale));

    /// <summary>destination *= factor, or factors.</summary>
    public void Scale(Tensor destination, float factor, Tensor factors) =>
        _stream.Launch(_scale, Grid(destination), Values, new ScaleArguments(destination, factors, factor));

    // As many threads as a vector's width asks for, and nothing else: sums of a vector are always made in one order.
    static int Threads(int width) => Math.Clamp((width / 4 + 31) / 32 * 32, 32, 1024);

    static int Blocks(int columns) => (columns + Values - 1) / Values;

    static Grid Grid(Tensor tensor) => new(tensor.Rows, Blocks(tensor.Columns));

    static bool IsPacked(Tensor tensor) =>
        (tensor.Heads == 1 || tensor.HeadStride == tensor.Width) && (tensor.Rows == 1 || tensor.RowStride == tensor.Columns);

    static Tensor Packed(Tensor like, nint address) => new(address, like.Rows, like.Heads, like.Width, like.Columns, like.Width);

    void Copy(Tensor source, nint rows, Tensor destination) => _stream.Launch(_copy, Grid(destination), Values, new CopyArguments(source, destination, rows));

    readonly record struct NormalizeArguments(Tensor Source, Tensor Weight, Tensor Bias, Tensor Destination, NormKind Kind, float Epsilon, float Offset);

    readonly record struct DotArguments(Tensor Left, Tensor Right, Tensor Destination);

    readonly record struct RotateArguments(Tensor Vectors, Tensor Angles, int Interleaved);

    readonly record struct ActivateArguments(
        Tensor Gate, Tensor Up, Tensor Destination, Activation Function, float Sharpness, float GateLimit, float ResultLimit, float UpLimit, float UpOffset);

    readonly record struct AddArguments(Tensor Source, Tensor Destination, float Scale);

    readonly record struct ScaleArguments(Tensor Destination, Tensor Factors, float Factor);

    readonly record struct CopyArguments(Tensor Source, Tensor Destination, nint Rows);
}
