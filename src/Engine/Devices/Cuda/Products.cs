namespace Serving.Devices.Cuda;

/// <summary>Products with stored matrices and rows of stored tables, as launches: <c>products.cu</c> says how each is made.</summary>
sealed class Products
{
    const int Threads = 128;
    const int OutputsOfBlock = 16;
    const int RowsOfTile = 8;

    readonly CudaStream _stream;
    readonly CudaScratch _scratch;
    readonly CudaFunction[] _one, _eight;
    readonly Elements _elements;
    readonly CudaFunction _embed;

    /// <summary>The products of a context.</summary>
    public Products(CudaContext context, Elements elements)
    {
        (_stream, _scratch, _elements) = (context.Stream, new(context), elements);
        var module = context.Module("products.cu");
        _one = [.. Enum.GetValues<StoredType>().Select(type => module.Function($"product_one_{type.Name().ToLowerInvariant()}"))];
        _eight = [.. Enum.GetValues<StoredType>().Select(type => module.Function($"product_eight_{type.Name().ToLowerInvariant()}"))];
        _embed = module.Function("embed");
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

    // Rows of experts have a matrix each; where there are several rows of one matrix, a weight that is read serves eight of them.
    void Launch(Weights weights, int heads, Tensor source, Tensor bias, Tensor destination, nint experts, int sharing)
    {
        var rows = experts != 0 || destination.Rows == 1 ? 1 : RowsOfTile;
        var grid = new Grid((destination.Rows + rows - 1) / rows, (weights.Outputs + OutputsOfBlock - 1) / OutputsOfBlock, heads);
        _stream.Launch((rows == 1 ? _one : _eight)[(int)weights.Type], grid, Threads, new ProductArguments(weights, source, bias, destination, experts, sharing));
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
