namespace Serving.Devices.Cpu;

/// <summary>The operations that take each row, or each of its vectors, alone.</summary>
sealed unsafe class RowOperations(WorkerTeam team) : IDisposable
{
    // Below this many values a team costs more than it brings.
    const int TeamValues = 4 * 1024;

    readonly Scratch _scratch = new();

    /// <summary>destination[i] = table[ids[i]] * scale.</summary>
    public void Embed(CpuMatrix table, ReadOnlySpan<int> ids, float scale, Tensor destination)
    {
        var wide = _scratch.Take(8192);
        for (var i = 0; i < ids.Length; i++)
        {
            var panel = (byte*)table.Address + ids[i] / PanelSize.Outputs * table.PanelBytes;
            table.Format.Unpack(panel, ids[i] % PanelSize.Outputs, table.Inputs, wide, destination.At(i));
            if (scale != 1) Elementwise.Scale(destination.At(i), scale, table.Inputs);
        }
    }

    /// <summary>Chooses experts for every row.</summary>
    public void Route(RoutingRule rule, Tensor logits, Tensor bias, RoutedExperts routed)
    {
        var scratch = new Span<float>(_scratch.Take(2L * rule.Experts * sizeof(float)), 2 * rule.Experts);
        for (var row = 0; row < logits.Rows; row++)
            Router.Choose(
                rule, logits.At(row), bias.IsEmpty ? null : bias.At(0),
                new Span<int>((int*)routed.Experts + (long)row * rule.Chosen, rule.Chosen),
                new Span<float>(routed.Weights.At(row), rule.Chosen), scratch[..rule.Experts], scratch[rule.Experts..]);
    }

    /// <summary>destination[r] += the weighted results of its experts, best first; those past the given number are the identity.</summary>
    public static void CombineExperts(Tensor source, Tensor input, int experts, RoutedExperts routed, Tensor destination)
    {
        var chosen = routed.Weights.Width;
        var ids = (int*)routed.Experts;
        for (var row = 0; row < destination.Rows; row++)
            for (var j = 0; j < chosen; j++)
                Elementwise.Add(ids[row * chosen + j] < experts ? source.At(row * chosen + j) : input.At(row), routed.Weights.At(row)[j], destination.At(row), destination.Columns);
    }

    /// <summary>Normalises every vector.</summary>
    public void Normalize(Norm norm, Tensor source, Tensor destination) =>
        Run(new NormJob { Norm = norm, Source = source, Destination = destination }, source);

    /// <summary>Turns every vector by its row's angles.</summary>
    public void Rotate(Tensor vectors, Tensor angles, bool interleaved) =>
        Run(new RotateJob { Vectors = vectors, Angles = angles, Interleaved = interleaved }, vectors);

    /// <summary>destination = gate and up by the rule.</summary>
    public void Activate(GateRule rule, Tensor gate, Tensor up, Tensor destination) =>
        Run(new ActivateJob { Rule = rule, Gate = gate, Up = up, Destination = destination }, gate);

    /// <summary>destination += source * scale.</summary>
    public void Add(Tensor source, float scale, Tensor destination) =>
        Run(new AddJob { Source = source, Factor = scale, Destination = destination }, source);

    /// <summary>Multiplies every row by one factor, or every row or vector by its own.</summary>
    public void Scale(Tensor destination, float factor, Tensor factors) =>
        Run(new ScaleJob { Destination = destination, Factor = factor, Factors = factors }, destination);

    /// <summary>A convolution over windows, value by value.</summary>
    public void Convolve(Tensor windows, Tensor weights, Tensor bias, Tensor destination) =>
        Run(new ConvolveJob { Windows = windows, Weights = weights, Bias = bias, Destination = destination }, windows);

    /// <summary>Sums of products of vectors.</summary>
    public void Dot(Tensor left, Tensor right, Tensor destination) =>
        Run(new DotJob { Left = left, Right = right, Destination = destination }, left);

    /// <summary>Softmax of every vector.</summary>
    public void Softmax(Tensor vectors) => Run(new SoftmaxJob { Vectors = vectors }, vectors);

    /// <summary>Copies rows to packed host values.</summary>
    public void Read(Tensor source, Span<float> destination)
    {
        fixed (float* values = destination) Run(new ReadJob { Source = source, Values = values }, source);
    }

    /// <summary>destination[i] = source[rows[i]].</summary>
    public static void Gather(Tensor source, ReadOnlySpan<int> rows, Tensor destination)
    {
        for (var i = 0; i < rows.Length; i++)
            TensorAddress.CopyRow(source, rows[i], destination, i);
    }

    /// <summary>Gives the scratch back.</summary>
    public void Dispose() => _scratch.Dispose();

    // One range of rows for each worker, and the same in every operation.
    void Run<TJob>(TJob job, Tensor shape) where TJob : unmanaged, IJob
    {
        var alone = (long)shape.Rows * shape.Columns < TeamValues;
        var ranges = new RangeJob<TJob> { Rows = job, Count = shape.Rows, Parts = alone ? 1 : Math.Min(shape.Rows, team.Workers) };
        team.Run(ref ranges, ranges.Parts, alone);
    }

    struct RangeJob<TJob> : IJob where TJob : unmanaged, IJob
    {
        public TJob Rows;
        public int Count, Parts;

        public readonly void Run(int part, int worker)
        {
            var end = (int)((long)Count * (part + 1) / Parts);
            for (var row = (int)((long)Count * part / Parts); row < end; row++) Rows.Run(row, worker);
        }
    }

    struct ReadJob : IJob
    {
        public Tensor Source;
        public float* Values;

        public readonly void Run(int part, int worker)
        {
            var at = Values + (long)part * Source.Columns;
            for (var head = 0; head < Source.Heads; head++, at += Source.Width)
                new ReadOnlySpan<float>(Source.At(part, head), Source.Width).CopyTo(new Span<float>(at, Source.Width));
        }
    }

    struct NormJob : IJob
    {
        public Norm Norm;
        public Tensor Source, Destination;

        public readonly void Run(int part, int worker)
        {
            // One row of factors for all heads, or one for each.
            var (heads, biasHeads) = (Norm.Weight.Columns / Source.Width, Norm.Bias.Columns / Source.Width);
            for (var head = 0; head < Source.Heads; head++)
            {
                var weight = Norm.Weight.IsEmpty ? null : Norm.Weight.At(0) + (heads > 1 ? head * Source.Width : 0);
                var bias = Norm.Bias.IsEmpty ? null : Norm.Bias.At(0) + (biasHeads > 1 ? head * Source.Width : 0);
                VectorNorms.Normalize(Norm, Source.At(part, head), weight, bias, Destination.At(part, head), Source.Width);
            }
        }
    }

    struct RotateJob : IJob
    {
        public Tensor Vectors, Angles;
        public bool Interleaved;

        public readonly void Run(int part, int worker)
        {
            var pairs = Vectors.Width / 2;
            for (var head = 0; head < Vectors.Heads; head++)
                Rotation.Turn(Vectors.At(part, head), Angles.At(part), Angles.At(part) + pairs, pairs, Interleaved);
        }
    }

    struct ActivateJob : IJob
    {
        public GateRule Rule;
        public Tensor Gate, Up, Destination;

        public readonly void Run(int part, int worker)
        {
            for (var head = 0; head < Gate.Heads; head++)
            {
                var up = Up.IsEmpty ? null : Up.At(part, head);
                Elementwise.Activate(Rule, Gate.At(part, head), up, Destination.At(part, head), Gate.Width);
            }
        }
    }

    struct AddJob : IJob
    {
        public Tensor Source, Destination;
        public float Factor;

        public readonly void Run(int part, int worker)
        {
            for (var head = 0; head < Source.Heads; head++)
                Elementwise.Add(Source.At(part, head), Factor, Destination.At(part, head), Source.Width);
        }
    }

    struct ScaleJob : IJob
    {
        public Tensor Destination, Factors;
        public float Factor;

        public readonly void Run(int part, int worker)
        {
            var factors = Factors.IsEmpty ? null : Factors.At(part);
            var each = Factors.Columns > 1 ? 1 : 0;
            for (var head = 0; head < Destination.Heads; head++)
                Elementwise.Scale(Destination.At(part, head), factors is null ? Factor : factors[head * each], Destination.Width);
        }
    }

    struct ConvolveJob : IJob
    {
        public Tensor Windows, Weights, Bias, Destination;

        public readonly void Run(int part, int worker)
        {
            var (width, span) = (Destination.Width, Windows.Width);
            var packed = Weights.Width == span ? 0 : span;
            for (var head = 0; head < Windows.Heads; head++)
            {
                var weights = packed > 0 ? Weights.At(0) + head * packed : Weights.At(0, head);
                var bias = Bias.IsEmpty ? null : Bias.At(0) + head * width;
                Elementwise.Convolve(Windows.At(part, head), weights, bias, Destination.At(part, head), width, span / width);
            }
        }
    }

    struct DotJob : IJob
    {
        public Tensor Left, Right, Destination;

        public readonly void Run(int part, int worker)
        {
            for (var head = 0; head < Left.Heads; head++)
                Destination.At(part, head / Destination.Width)[head % Destination.Width] =
                    Elementwise.Dot(Left.At(part, head), Right.At(part, head), Left.Width);
        }
    }

    struct SoftmaxJob : IJob
    {
        public Tensor Vectors;

        public readonly void Run(int part, int worker)
        {
            for (var head = 0; head < Vectors.Heads; head++) Elementwise.Softmax(Vectors.At(part, head), Vectors.Width);
        }
    }
}
