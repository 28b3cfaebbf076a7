using System.Diagnostics;

namespace Serving.Devices;

/// <summary>What one decode step of one layer's attention cost.</summary>
/// <param name="Kind">What is cached and how it is read, for people.</param>
/// <param name="Bytes">Cached bytes that were read, and bytes of states that were read and written.</param>
/// <param name="Products">Multiply-adds that scores, values, rebuilt rows and states take.</param>
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

        /// <summary>Tokens that share a row.</summary>
        public int Stride { get; init; } = 1;

        /// <summary>Further shapes, each with rows of its own, that are read behind the first.</summary>
        public AttendShape[] Branches { get; init; } = [];

        /// <summary>Earlier rows that a token recalls, and their width.</summary>
        public (int Before, int Width) Window { get; init; }

        /// <summary>Width of a running sum.</summary>
        public int Sum { get; init; }

        /// <summary>Heads, keys and values of a memory by the delta rule.</summary>
        public (int Heads, int Key, int Value) Memory { get; init; }
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
        new("groups of 8, 4, 2, 1 and 1 heads", new(8, 1, 128, 0, 128, false))
        {
            Branches = [new(4, 1, 128, 0, 128, false), new(2, 1, 128, 0, 128, false), new(2, 2, 128, 0, 128, false)],
        },
        new("a latent, and a rotary key of each of 4 groups", new(28, 1, 256, 128, 256, true)),
        new("the same, two classes of tokens", new(28, 1, 514, 128, 514, true, Classes: 2)),
        new("a latent that two tokens share, and a sum", new(16, 1, 256, 64, 256, true)) { Stride = 2, Sum = 256 },
        new("keys and values of 2 groups, and a window", new(8, 2, 128, 0, 128, false)) { Window = (2, 1280) },
        new("keys and values of 4 groups, and an average", new(28, 4, 128, 0, 128, false)) { Sum = 3584 },
        new("a memory by the delta rule, no rows", default) { Memory = (32, 128, 128) },
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
        readonly DrawnTensors _drawn;
        readonly RowBatch _batch;
        readonly PageBatch _pages;
        readonly StateBatch _places;
        readonly Kind _kind;
        readonly ScoreRule _rule;
        readonly Expansion? _expansion;
        readonly (AttendShape Shape, AttendRows Rows, Tensor Main, Tensor Rotary, Tensor Output)[] _branches;
        readonly (StateRows Rows, Tensor From, Tensor To) _window, _sum;
        readonly (DeltaRows Rows, StateRows State, Tensor Output) _memory;

        public Run(IDevice device, Kind kind, int sequences, int length, CacheType type)
        {
            (_device, _drawn, _kind) = (device, new(device), kind);
            (_batch, _pages, _places) = (new(sequences, sequences), new(sequences), new(sequences));
            var perSequence = (length + PageRows * kind.Stride - 1) / (PageRows * kind.Stride);
            _batch.Clear();
            for (var sequence = 0; sequence < sequences; sequence++)
            {
                _batch.Add(length - 1, 1);
                _places.Add(sequence);
                _pages.Add([.. Enumerable.Range(sequence * perSequence, perSequence)]);
            }
            var shapes = kind.Shape.QueryHeads == 0 ? [] : kind.Branches.Prepend(kind.Shape);
            _branches = [.. shapes.Select(Branch)];
            if (kind.Window is { Before: > 0 and var before, Width: var width })
                _window = (State(before * width), Vectors(sequences, 1, width), Vectors(sequences, 1, (before + 1) * width));
            if (kind.Sum > 0) _sum = (State(kind.Sum), Vectors(sequences, 1, kind.Sum), Vectors(sequences, 1, kind.Sum));
            if (kind.Memory is { Heads: > 0 and var memories, Key: var keys, Value: var values })
            {
                _memory = (
                    new(Vectors(sequences, memories, keys), Vectors(sequences, memories, keys), Vectors(sequences, memories, values), Vectors(sequences, memories, keys), Vectors(sequences, 1, memories)),
                    State(memories * keys * values), Vectors(sequences, memories, values));
                // Fading, reading what is there, writing, and reading again.
                Products += 4L * sequences * memories * keys * values;
            }
            if (_branches is [var first, ..])
            {
                var (heads, key, value, latent) = (kind.Shape.QueryHeads, kind.Rebuilt.Key, kind.Rebuilt.Value, first.Rows.Main.Width);
                if (key > 0)
                {
                    RowGate? gate = kind.Gated == 0 ? null : new(Weights(1, Ids, kind.Gated), Weights(heads, key, kind.Gated), Weights(heads, value, kind.Gated),
                        new(GateSpan.All, 1e-5f, Vectors(1, 1, heads * key), Vectors(1, 1, heads * key), Vectors(1, 1, heads * value), Vectors(1, 1, heads * value)));
                    _expansion = new(Weights(heads, key, latent), value > 0 ? Weights(heads, value, latent) : null, gate);
                }
                _rule = new(0.1f, Turn: kind.Turned ? new(Vectors(length, 1, key > 0 ? key : kind.Shape.MainWidth)) : default);
            }

            (AttendShape, AttendRows, Tensor, Tensor, Tensor) Branch(AttendShape shape)
            {
                var (heads, key, value) = (shape.QueryHeads, kind.Rebuilt.Key, kind.Rebuilt.Value);
                var main = shape.Classes > 0 ? shape.MainWidth / shape.Classes - 1 : shape.ValueInMain ? Math.Max(shape.MainWidth, shape.ValueWidth) : shape.MainWidth;
                var rows = new AttendRows(
                    Stream(shape.Groups, main, type), Stream(1, shape.RotaryWidth, type),
                    Stream(shape.Groups, shape.ValueInMain ? 0 : shape.ValueWidth, type), Stream(1, shape.SharedValueWidth, type),
                    Stream(1, kind.Gated > 0 || shape.Classes > 0 ? 1 : 0, CacheType.Float32));
                // A row of a class is zero in the parts of the others: what is needed is what one class takes.
                var needed = shape.Classes > 0 ? 2 * (main + 1) : (key > 0 ? key : shape.MainWidth) + (value > 0 ? value : shape.OutputWidth);
                long Of(long width) => (long)sequences * (length / kind.Stride) * heads * width;
                Products += Of(needed + shape.RotaryWidth) + Of((long)(key + value) * ((key > 0 ? main : 0) + kind.Gated));
                return (shape, rows, Vectors(sequences, heads, key > 0 ? key : shape.MainWidth),
                    shape.RotaryWidth > 0 ? Vectors(sequences, heads, shape.RotaryWidth) : default, Vectors(sequences, heads, value > 0 ? value : shape.OutputWidth));
            }

            PagedRows Stream(int groups, int width, RowFormat format)
            {
                if (width == 0) return default;
                var bytes = (long)PageRows * groups * format.VectorBytes(width);
                var open = kind.Stride > 1 ? Take((long)sequences * groups * format.VectorBytes(width)) : 0;
                var stream = new PagedRows(Take(sequences * perSequence * bytes), bytes, PageRows, groups, width, format) { Stride = kind.Stride, Open = open };
                Bytes += (long)sequences * (length / kind.Stride) * groups * format.VectorBytes(width);
                return stream;
            }

            StateRows State(int values)
            {
                var bytes = (long)values * sizeof(float);
                Bytes += 2 * sequences * bytes;
                return new(Take(sequences * bytes), bytes, values);
            }
        }

        public long Bytes { get; private set; }

        public long Products { get; private set; }

        public void Step()
        {
            if (!_window.From.IsEmpty) _device.Recall(_window.From, _window.Rows, _batch, _places, _window.To);
            if (!_sum.From.IsEmpty) _device.Accumulate(new(0.9f, 0.1f), _sum.From, _sum.Rows, _batch, _places, _sum.To);
            if (!_memory.Output.IsEmpty) _device.Delta(_memory.Rows, _memory.State, _batch, _places, _memory.Output);
            foreach (var (shape, rows, main, rotary, output) in _branches)
                if (_expansion is { } expansion) _device.AttendExpanded(_rule, expansion, main, rotary, rows, _batch, _pages, output);
                else _device.Attend(shape, _rule, main, rotary, rows, _batch, _pages, output);
            // Waits for devices that run behind.
            var last = _branches.Length > 0 ? _branches[^1].Output : _memory.Output;
            _device.Read(last.Take(1), new float[last.Columns]);
        }

        public void Dispose() => _drawn.Dispose();

        nint Take(long bytes) => _drawn.Take(bytes);

        Tensor Vectors(int rows, int heads, int width) => _drawn.Vectors(rows, heads, width);

        Matrix Weights(int stack, int outputs, int inputs) => _drawn.Weights(stack, outputs, inputs);
    }
}
