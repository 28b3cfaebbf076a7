namespace Serving.Devices.Cpu;

/// <summary>Products of rows with matrices: lays out the rows in the kernel's order and shares out the panels.</summary>
sealed unsafe class Products(WorkerTeam team) : IDisposable
{
    // Rows of a tile: their inputs stay in the second cache while panels pass by.
    const int TileRows = 96;

    // From this many rows for each worker on, workers share out the rows: each reads all weights, but inputs and results stay with their core.
    const int SharedRows = 48;

    // Below this many multiplications, or values that are laid out, a team costs more than it brings.
    const long TeamWork = 32 * 1024;
    const long TeamValues = 4 * 1024;

    // Parts of a product for each worker: fine enough that all end together.
    const int PartsOfWorker = 8;

    readonly Scratch _inputs = new(), _workers = new();
    int _segments, _rows;
    Segment[] _segment = new Segment[64];
    nint[] _sources = new nint[256], _results = new nint[256];

    /// <summary>One matrix for all rows.</summary>
    public void Multiply(CpuMatrix weights, Tensor source, Tensor bias, Tensor destination)
    {
        var shares = source.Rows >= SharedRows * team.Workers ? team.Workers : 1;
        for (var row = 0; row < source.Rows; row += shares * TileRows)
        {
            Clear();
            var rows = Math.Min(shares * TileRows, source.Rows - row);
            for (var share = 0; share < shares; share++)
            {
                var start = RowBlocks.Start(rows, shares, share);
                AddRows(0, source, destination, row + start, RowBlocks.Start(rows, shares, share + 1) - start);
            }
            Run(weights, bias, source, destination);
        }
    }

    /// <summary>A matrix for every head of a row.</summary>
    public void MultiplyHeads(CpuMatrix weights, Tensor source, Tensor destination)
    {
        for (var row = 0; row < source.Rows; row += TileRows)
        {
            Clear();
            for (var head = 0; head < source.Heads; head++)
                AddRows(head, source.PickHeads(head, 1), destination.PickHeads(head, 1), row, Math.Min(TileRows, source.Rows - row));
            Run(weights, default, source.PickHeads(0, 1), destination.PickHeads(0, 1));
        }
    }

    /// <summary>A matrix for every chosen expert of a row; those past the end of the stack give zeros.</summary>
    public void MultiplyExperts(CpuMatrix experts, Tensor source, Tensor biases, RoutedExperts routed, Tensor destination)
    {
        var chosen = routed.Weights.Width;
        var ids = new ReadOnlySpan<int>((void*)routed.Experts, routed.Weights.Rows * chosen);
        var shared = source.Rows == routed.Weights.Rows;
        Clear();
        for (var expert = 0; expert < experts.Stack; expert++) AddExpert(expert);
        for (var i = 0; i < ids.Length; i++)
            if ((uint)ids[i] >= (uint)experts.Stack) TensorAddress.ClearRow(destination, i);
        if (_rows > 0) Run(experts, biases, source, destination);

        void AddExpert(int expert)
        {
            var ids = new ReadOnlySpan<int>((void*)routed.Experts, routed.Weights.Rows * chosen);
            var first = _rows;
            for (var i = 0; i < ids.Length; i++)
            {
                if (ids[i] != expert) continue;
                if (_rows - first == TileRows)
                {
                    AddSegment(expert, first);
                    first = _rows;
                }
                AddRow(Address(source, shared ? i / chosen : i), Address(destination, i));
            }
            if (_rows > first) AddSegment(expert, first);
        }
    }

    /// <summary>Gives the scratch back.</summary>
    public void Dispose()
    {
        _inputs.Dispose();
        _workers.Dispose();
    }

    static nint Address(Tensor tensor, int row) => tensor.Address + (nint)row * tensor.RowStride * sizeof(float);

    void Clear() => (_segments, _rows) = (0, 0);

    void AddRows(int matrix, Tensor source, Tensor destination, int first, int rows)
    {
        var start = _rows;
        for (var row = first; row < first + rows; row++) AddRow(Address(source, row), Address(destination, row));
        AddSegment(matrix, start);
    }

    void AddRow(nint source, nint result)
    {
        if (_rows == _sources.Length)
        {
            Array.Resize(ref _sources, 2 * _rows);
            Array.Resize(ref _results, 2 * _rows);
        }
        (_sources[_rows], _results[_rows]) = (source, result);
        _rows++;
    }

    void AddSegment(int matrix, int first)
    {
        if (_segments == _segment.Length) Array.Resize(ref _segment, 2 * _segments);
        _segment[_segments++] = new Segment { Matrix = matrix, First = first, Rows = _rows - first };
    }

    void Run(CpuMatrix weights, Tensor bias, Tensor source, Tensor destination)
    {
        var alone = (long)_rows * weights.Inputs * weights.Outputs < TeamWork;
        var panelsOfPart = alone ? weights.Panels : Math.Max(1, weights.Panels * _segments / (PartsOfWorker * team.Workers));
        var scratch = weights.Format.ScratchBytes(TileRows);
        fixed (Segment* segments = _segment)
        fixed (nint* sources = _sources, results = _results)
        {
            var product = new Product
            {
                Segments = segments, Panels = (byte*)weights.Address, PanelBytes = weights.PanelBytes, PanelsOfMatrix = weights.Panels,
                PanelsOfPart = panelsOfPart, PartsOfSegment = (weights.Panels + panelsOfPart - 1) / panelsOfPart,
                Blocks = weights.Blocks, Outputs = weights.Outputs, Results = results, Bias = bias, Destination = destination,
                Scratch = _workers.Take(scratch * team.Workers), ScratchOfWorker = scratch,
            };
            if (weights.Pairs is { } kernel) RunPairs(weights, kernel, source, sources, product, alone);
            else Run(weights, source, sources, product, alone);
        }
    }

    void Run(CpuMatrix weights, Tensor source, nint* sources, Product product, bool alone)
    {
        var direct = _rows == 1 && weights.Inputs % PanelSize.Block == 0 && source.IsPacked();
        var values = direct ? 0 : (long)_rows * weights.Blocks * PanelSize.Block;
        var inputs = (float*)_inputs.Take((values + (long)_rows * weights.Blocks) * sizeof(float));
        product.X = direct ? (float*)sources[0] : inputs;
        product.Sums = inputs + values;
        var lay = new LayJob
        {
            Rows = Laid(weights, source, sources, product), X = product.X, Sums = product.Sums, Direct = direct, NeedsSums = weights.Format.NeedsSums,
        };
        if (!direct || lay.NeedsSums) team.Run(ref lay, _segments * lay.Rows.PartsOfSegment, LaidAlone(weights));
        weights.Format.Multiply(team, ref product, _segments * product.PartsOfSegment, alone);
    }

    void RunPairs(CpuMatrix weights, PairKernel kernel, Tensor source, nint* sources, Product product, bool alone)
    {
        var blocks = (long)_rows * weights.Blocks;
        var pairs = (byte*)_inputs.Take(blocks * (kernel.RowBytes + 2 * sizeof(float)));
        var scales = (float*)(pairs + blocks * kernel.RowBytes);
        product.Sums = scales + blocks;
        var lay = new PairLayJob
        {
            Rows = Laid(weights, source, sources, product), X = pairs, Scales = scales, Sums = product.Sums, Kernel = kernel,
        };
        team.Run(ref lay, _segments * lay.Rows.PartsOfSegment, LaidAlone(weights));
        var job = new PairProductJob { Product = product, X = pairs, Scales = scales, Kernel = kernel };
        team.Run(ref job, _segments * product.PartsOfSegment, alone);
    }

    bool LaidAlone(CpuMatrix weights) => _rows * (long)weights.Inputs < TeamValues;

    LaidRows Laid(CpuMatrix weights, Tensor source, nint* sources, in Product product) => new()
    {
        Segments = product.Segments, Sources = sources, Blocks = weights.Blocks, Source = source,
        PartsOfSegment = LaidAlone(weights) ? 1 : Math.Clamp(team.Workers / _segments, 1, _rows),
    };
}
