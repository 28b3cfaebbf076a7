namespace Serving.Devices.Cuda;

/// <summary>
/// Products with stored matrices and rows of stored tables, as launches. Types whose codes are bfloat16 values go to tensor cores
/// (<c>products_tensor.cu</c>), the others to single precision (<c>products.cu</c>): a matrix keeps its way whatever the rows.
/// </summary>
sealed class Products
{
    const int Threads = 128, OutputsOfBlock = 16, RowsOfTile = 8;
    const int TensorThreads = 256, TensorTiles = 4;

    static readonly StoredType[] TensorTypes =
        [StoredType.BF16, StoredType.Q8_0, StoredType.Q4_0, StoredType.Q5_0, StoredType.MxFp4, StoredType.F8];

    // The kernels of a type, by how many rows a block takes.
    readonly record struct Kernels(CudaFunction Few, CudaFunction Many, int FewRows, int ManyRows, int Threads);

    readonly CudaStream _stream;
    readonly CudaScratch _scratch;
    readonly Elements _elements;
    readonly Kernels[] _kernels;
    readonly CudaFunction _embed;

    /// <summary>The products of a context, whose inputs on tensor cores may be rounded so far.</summary>
    public Products(CudaContext context, Elements elements, ActivationType activations)
    {
        (_stream, _scratch, _elements) = (context.Stream, new(context), elements);
        var (plain, tensor) = (context.Module("products.cu"), context.Module("products_tensor.cu"));
        var terms = activations == ActivationType.BFloat16 ? "rounded" : "exact";
        _kernels = [.. Enum.GetValues<StoredType>().Select(type =>
        {
            var name = type.Name().ToLowerInvariant();
            if (!TensorTypes.Contains(type))
            {
                var (one, eight) = (plain.Function($"product_one_{name}"), plain.Function($"product_eight_{name}"));
                return new Kernels(one, eight, 1, RowsOfTile, Threads);
            }
            var (few, many) = (tensor.Function($"tensor_{terms}_few_{name}"), tensor.Function($"tensor_{terms}_many_{name}"));
            return new Kernels(few, many, RowsOfTile, TensorTiles * RowsOfTile, TensorThreads);
        })];
        _embed = plain.Function("embed");
    }

    /// <summary>Rows of a table, whose ids are in device memory.</summary>
    public void Embed(Weights table, nint ids, float scale, Tensor destination) => _stream.Launch(
        _embed, new(destination.Rows, (table.Inputs + 8 * Threads - 1) / (8 * Threads)), Threads, new EmbedArguments(table, destination, ids, scale));

    /// <summary>One matrix on all rows, plus a bias that may be empty.</summary>
    public void Multiply(Weights weights, Tensor source, Tensor bias, Tensor destination) =>
        Launch(weights, heads: 1, Joined(source), bias, destination, experts: 0, sharing: 1);

    /// <summary>Matrix h of the stack on vector h of every row.</summary>
    public void MultiplyHeads(Weights weights, Tensor source, Tensor destination) =>
        Launch(weights, weights.Stack, source, default, destination, experts: 0, sharing: 1);

    /// <summary>The matrix of each row's expert.</summary>
    public void MultiplyExperts(Weights experts, Tensor source, Tensor biases, RoutedExperts routed, Tensor destination) =>
        Launch(experts, heads: 1, Joined(source), biases, destination, routed.Experts, destination.Rows / Math.Max(1, source.Rows));

    // Rows of experts have a matrix each; where there are several rows of one matrix, a weight that is read serves all of a block's.
    void Launch(Weights weights, int heads, Tensor source, Tensor bias, Tensor destination, nint experts, int sharing)
    {
        var kernels = _kernels[(int)weights.Type];
        var isFew = experts != 0 || destination.Rows <= kernels.FewRows;
        var rows = experts != 0 ? 1 : isFew ? kernels.FewRows : kernels.ManyRows;
        var grid = new Grid((destination.Rows + rows - 1) / rows, (weights.Outputs + OutputsOfBlock - 1) / OutputsOfBlock, heads);
        _stream.Launch(isFew ? kernels.Few : kernels.Many, grid, kernels.Threads, new ProductArguments(weights, source, bias, destination, experts, sharing));
    }

    // Rows as one vector each; vectors with gaps between them are brought together first.
    Tensor Joined(Tensor source)
    {
        if (source.Heads == 1) return source;
        if (source.HeadStride != source.Width)
        {
            var packed = source with
            {
                Address = _scratch.Take((long)source.Rows * source.Columns * sizeof(float)), RowStride = source.Columns, HeadStride = source.Width,
            };
            _elements.Copy(source, packed);
            source = packed;
        }
        return source with { Heads = 1, Width = source.Columns, HeadStride = source.Columns };
    }

    readonly record struct ProductArguments(Weights Weights, Tensor Source, Tensor Bias, Tensor Destination, nint Experts, int Sharing);

    readonly record struct EmbedArguments(Weights Table, Tensor Destination, nint Ids, float Scale);
}
