using System.Diagnostics;

namespace Serving.Devices;

/// <summary>What one decode step of one layer's attention cost.</summary>
/// <param name="Kind">What is cached and how it is read, for people.</param>
/// <param name="Bytes">Cached bytes that were read.</param>
/// <param name="Products">Multiply-adds that scores, values and rebuilt rows take.</param>
/// <param name="Seconds">Median time of a step.</param>
public sealed record AttendCost(string Kind, long Bytes, long Products, double Seconds);

/// <summary>
/// Times decode attention by the facts of its kernel: a number of sequences, each a token that reads a number of cached rows. Kinds run in
/// turns, so that what else the machine does falls on all of them.
/// </summary>
public static class AttendMeter
{
    const int PageRows = 64, Ids = 1024;

    /// <summary>A way of caching and reading rows: sizes of heads, groups, latents and what is rebuilt.</summary>
    sealed record Kind(string Name, AttendShape Shape)
    {
        public bool Turned { get; init; }

        /// <summary>Width of keys that are rebuilt from the main rows, and of values where they are rebuilt as well.</summary>
        public (int Key, int Value) Rebuilt { get; init; }

        /// <summary>Values of an id's row of a gate's embedding.</summary>
        public int Gated { get; init; }
    }

    // Sixteen heads of 128 where a scheme leaves it open; else the sizes that its paper or a published model has.
    static readonly Kind[] Kinds =
    [
        new("a key and a value for each head", new(16, 16, 128, 0, 128, false)),
        new("a latent that all heads share, and a rotary key", new(16, 1, 512, 64, 512, true)),
        new("keys and values of 4 groups", new(16, 4, 128, 0, 128, false)),
        new("one key and one value", new(16, 1, 128, 0, 128, false)),
        new("one wide key and value, 64 heads", new(64, 1, 256, 0, 256, false)),
        new("one wide row, its key turns when read", new(64, 1, 256, 0, 256, true)) { Turned = true },
        new("two latents and a rotary key", new(16, 2, 256, 64, 256, true)),
        new("four latents, each read by all heads", new(64, 4, 128, 64, 128, true)),
        new("tied rows of 4 groups and a rotary key", new(16, 4, 64, 64, 128, true)),
        new("a shared row and a residual for each head", new(16, 16, 56, 128, 56, false, 128)),
        new("the same, residuals turn when read", new(16, 16, 56, 128, 56, false, 128)) { Turned = true, Rebuilt = (128, 0) },
        new("a latent whose keys and values are rebuilt", new(16, 1, 512, 64, 512, true)) { Rebuilt = (128, 128) },
        new("the same, gated by the token's id", new(16, 1, 128, 64, 128, true)) { Rebuilt = (128, 128), Gated = 64 },
    ];

    /// <summary>Measures every kind.</summary>
    /// <param name="device">The device.</param>
    /// <param name="sequences">Sequences of the step.</param>
    /// <param name="length">Tokens that each has cached.</param>
    /// <param name="repeats">Timed steps of each kind.</param>
    /// <param name="type">How rows are stored.</param>
    public static IReadOnlyList<AttendCost> Measure(IDevice device, int sequences, int length, int repeats, CacheType type)
    {
        var runs = Kinds.Select(kind => new Run(device, kind, sequences, length, type)).ToArray();
        try
        {
            var times = runs.Select(_ => new double[repeats]).ToArray();
            foreach (var run in runs) run.Step();
            for (var repeat = 0; repeat < repeats; repeat++)
                for (var i = 0; i < runs.Length; i++)
                {
                    var start = Stopwatch.GetTimestamp();
                    runs[i].Step();
                    times[i][repeat] = Stopwatch.GetElapsedTime(start).TotalSeconds;
                }
            return [.. runs.Select((run, i) => new AttendCost(Kinds[i].Name, run.Bytes, run.Products, times[i].Order().ElementAt(repeats / 2)))];
        }
        finally
        {
            foreach (var run in runs) run.Dispose();
        }
    }

    /// <summary>A kind's rows, weights and query on the device.</summary>
    sealed class Run : IDisposable
    {
        readonly IDevice _device;
        readonly List<nint> _blocks = [];
        // Devices may read weights where they lie.
        readonly List<float[]> _weights = [];
        readonly RowBatch _batch;
        readonly PageBatch _pages;
        readonly Kind _kind;
        readonly AttendRows _cached;
        readonly ScoreRule _rule;
        readonly Expansion? _expansion;
        readonly Tensor _main, _rotary, _output;

        public Run(IDevice device, Kind kind, int sequences, int length, CacheType type)
        {
            (_device, _kind) = (device, kind);
            (_batch, _pages) = (new(sequences, sequences), new(sequences));
            var (shape, perSequence) = (kind.Shape, (length + PageRows - 1) / PageRows);
            _batch.Clear();
            for (var sequence = 0; sequence < sequences; sequence++)
            {
                _batch.Add(length - 1, 1);
                _pages.Add([.. Enumerable.Range(sequence * perSequence, perSequence)]);
            }
            PagedRows Stream(int groups, int width, RowFormat format)
            {
                if (width == 0) return default;
                var bytes = (long)PageRows * groups * format.VectorBytes(width);
                var stream = new PagedRows(Take(sequences * perSequence * bytes), bytes, PageRows, groups, width, format);
                Bytes += (long)sequences * length * groups * format.VectorBytes(width);
                return stream;
            }
            _cached = new(
                Stream(shape.Groups, shape.ValueInMain ? Math.Max(shape.MainWidth, shape.ValueWidth) : shape.MainWidth, type), Stream(1, shape.RotaryWidth, type),
                Stream(shape.Groups, shape.ValueInMain ? 0 : shape.ValueWidth, type), Stream(1, shape.SharedValueWidth, type),
                Stream(1, kind.Gated > 0 ? 1 : 0, CacheType.Float32));
            var (heads, key, value) = (shape.QueryHeads, kind.Rebuilt.Key, kind.Rebuilt.Value);
            if (key > 0)
            {
                RowGate? gate = kind.Gated == 0 ? null : new(Weights(1, Ids, kind.Gated), Weights(heads, key, kind.Gated), Weights(heads, value, kind.Gated),
                    new(GateSpan.All, 1e-5f, Vectors(1, 1, heads * key), Vectors(1, 1, heads * key), Vectors(1, 1, heads * value), Vectors(1, 1, heads * value)));
                _expansion = new(Weights(heads, key, _cached.Main.Width), value > 0 ? Weights(heads, value, _cached.Main.Width) : null, gate);
            }
            _rule = new(0.1f, Turn: kind.Turned ? new(Vectors(length, 1, key > 0 ? key : shape.MainWidth)) : default);
            _main = Vectors(sequences, heads, key > 0 ? key : shape.MainWidth);
            _rotary = shape.RotaryWidth > 0 ? Vectors(sequences, heads, shape.RotaryWidth) : default;
            _output = Vectors(sequences, heads, value > 0 ? value : shape.OutputWidth);
            long Of(long width) => (long)sequences * length * heads * width;
            Products = Of((key > 0 ? key : shape.MainWidth) + shape.RotaryWidth + (value > 0 ? value : shape.OutputWidth))
                + Of((long)(key + value) * ((key > 0 ? _cached.Main.Width : 0) + kind.Gated));
        }

        public long Bytes { get; private set; }

        public long Products { get; }

        public void Step()
        {
            if (_expansion is { } expansion) _device.AttendExpanded(_rule, expansion, _main, _rotary, _cached, _batch, _pages, _output);
            else _device.Attend(_kind.Shape, _rule, _main, _rotary, _cached, _batch, _pages, _output);
            // Waits for devices that run behind.
            _device.Read(_output.Take(1), new float[_output.Columns]);
        }

        public void Dispose()
        {
            foreach (var block in _blocks) _device.Free(block);
        }

        nint Take(long bytes)
        {
            var block = _device.Allocate(bytes);
            _blocks.Add(block);
            return block;
        }

        Tensor Vectors(int rows, int heads, int width)
        {
            var tensor = Tensor.Matrix(Take((long)rows * heads * width * sizeof(float)), rows, heads * width);
            _device.Write(Drawn(rows * heads * width), tensor);
            return tensor.Split(heads);
        }

        unsafe Matrix Weights(int stack, int outputs, int inputs)
        {
            var values = GC.AllocateUninitializedArray<float>(stack * outputs * inputs, pinned: true);
            Drawn(values.Length).CopyTo(values, 0);
            _weights.Add(values);
            fixed (float* data = values)
                return _device.Load(new("drawn", StoredType.F32, stack == 1 ? [outputs, inputs] : [stack, outputs, inputs], (nint)data));
        }

        static float[] Drawn(int count)
        {
            var random = new Random(count);
            var values = new float[count];
            foreach (ref var value in values.AsSpan()) value = random.NextSingle() - 0.5f;
            return values;
        }
    }
}
