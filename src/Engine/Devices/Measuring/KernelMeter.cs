using System.Diagnostics;

namespace Serving.Devices;

/// <summary>What one call of a kernel cost.</summary>
/// <param name="Kind">product, attention, norm or elementwise.</param>
/// <param name="Name">Which.</param>
/// <param name="Rows">Rows of the call.</param>
/// <param name="Bytes">Bytes that it has to read and write at least: weights as they are stored, cached rows, inputs and outputs.</param>
/// <param name="Operations">Multiplications and additions.</param>
/// <param name="Seconds">Median time.</param>
public sealed record KernelCost(string Kind, string Name, int Rows, long Bytes, long Operations, double Seconds)
{
    /// <summary>Bytes a second.</summary>
    public double BytesPerSecond => Bytes / Seconds;

    /// <summary>Operations a second.</summary>
    public double OperationsPerSecond => Operations / Seconds;

    /// <summary>The larger of its shares of what the machine reads and multiplies.</summary>
    public double ShareOf(DeviceCeiling ceiling) => Math.Max(BytesPerSecond / ceiling.ReadBytesPerSecond, OperationsPerSecond / ceiling.FlopsPerSecond);
}

/// <summary>
/// Times the kernels of a device one by one: products of every stored type over so many matrices that no cache holds them, attention by
/// what is cached, and norms.
/// </summary>
public static class KernelMeter
{
    const long Distinct = 64 << 20;
    const int Least = 3;

    /// <summary>Measures everything; <paramref name="told"/> hears of each result as it comes.</summary>
    /// <param name="device">The device.</param>
    /// <param name="size">Inputs and outputs of the matrices, a multiple of 256.</param>
    /// <param name="rows">Rows of the products and norms.</param>
    /// <param name="context">Cached tokens that attention reads.</param>
    /// <param name="repeats">Timed calls of each kernel; medians count.</param>
    /// <param name="told">Hears of each result.</param>
    public static IReadOnlyList<KernelCost> Measure(IDevice device, int size, IReadOnlyList<int> rows, int context, int repeats, Action<KernelCost> told)
    {
        var costs = new List<KernelCost>();
        foreach (var type in Enum.GetValues<StoredType>())
            Add(Products(device, type, size, rows, repeats));
        Add(Elements(device, size, rows, repeats));
        foreach (var cache in Enum.GetValues<CacheType>())
            Add(AttendMeter.Measure(device, 8, context, Math.Max(Least, repeats), cache)
                .Select(cost => new KernelCost("attention", $"{cost.Kind}, {cache}", 8, cost.Bytes, 2 * cost.Products, cost.Seconds)));
        return costs;

        void Add(IEnumerable<KernelCost> some)
        {
            foreach (var cost in some)
            {
                costs.Add(cost);
                told(cost);
            }
        }
    }

    static unsafe IEnumerable<KernelCost> Products(IDevice device, StoredType type, int size, IReadOnlyList<int> rows, int repeats)
    {
        var bytes = type.BytesOf(size) * size;
        // Bytes that are ordinary numbers in every type, scales included.
        var stored = GC.AllocateUninitializedArray<byte>(checked((int)bytes), pinned: true);
        var random = new Random(1);
        foreach (ref var value in stored.AsSpan()) value = (byte)random.Next(0x30, 0x3c);
        Matrix[] matrices;
        fixed (byte* data = stored)
        {
            var source = new StoredTensor("drawn", type, [size, size], (nint)data);
            matrices = [.. Enumerable.Range(0, (int)Math.Clamp(Distinct / bytes, 2, 32)).Select(_ => device.Load(source))];
        }

        return [.. rows.Select(count =>
        {
            using var vectors = new Vectors(device, count, size);
            var next = 0;
            var seconds = Median(repeats, () =>
            {
                device.Multiply(matrices[next++ % matrices.Length], vectors.Source, default, vectors.Destination);
                vectors.Wait();
            });
            return new KernelCost("product", type.ToString(), count, bytes + 2L * sizeof(float) * count * size, 2L * count * size * size, seconds);
        })];
    }

    static IEnumerable<KernelCost> Elements(IDevice device, int size, IReadOnlyList<int> rows, int repeats) => rows.SelectMany(count =>
    {
        using var vectors = new Vectors(device, count, size);
        using var weight = new Vectors(device, 1, size);
        var (values, moved) = ((long)count * size, 2L * sizeof(float) * count * size);
        KernelCost Cost(string kind, string name, int operations, int passes, Action run) => new(kind, name, count, moved * passes / 2, values * operations, Median(repeats, () =>
        {
            run();
            vectors.Wait();
        }));
        return (KernelCost[])
        [
            Cost("norm", "root mean square", 4, 2, () => device.Normalize(new(NormKind.RootMeanSquare, 1e-5f, weight.Source), vectors.Source, vectors.Destination)),
            Cost("norm", "layer", 7, 2, () => device.Normalize(new(NormKind.Layer, 1e-5f, weight.Source, weight.Source), vectors.Source, vectors.Destination)),
            Cost("elementwise", "add", 1, 3, () => device.Add(vectors.Source, 1, vectors.Destination)),
            Cost("elementwise", "SiLU gate", 6, 3, () => device.Activate(Activation.Silu, vectors.Source, vectors.Source, vectors.Destination)),
        ];
    });

    static double Median(int repeats, Action run)
    {
        run();
        var times = new double[Math.Max(Least, repeats)];
        foreach (ref var time in times.AsSpan())
        {
            var start = Stopwatch.GetTimestamp();
            run();
            time = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        Array.Sort(times);
        return times[times.Length / 2];
    }

    /// <summary>Inputs and outputs on the device.</summary>
    sealed class Vectors : IDisposable
    {
        readonly IDevice _device;
        readonly nint _memory;
        readonly float[] _one;

        public Vectors(IDevice device, int rows, int width)
        {
            var bytes = (long)rows * width * sizeof(float);
            (_device, _memory, _one) = (device, device.Allocate(2 * bytes), new float[width]);
            (Source, Destination) = (Tensor.Matrix(_memory, rows, width), Tensor.Matrix(_memory + (nint)bytes, rows, width));
            var random = new Random(rows);
            var values = new float[rows * width];
            foreach (ref var value in values.AsSpan()) value = random.NextSingle() - 0.5f;
            device.Write(values, Source);
        }

        public Tensor Source { get; }

        public Tensor Destination { get; }

        /// <summary>Waits for devices that run behind.</summary>
        public void Wait() => _device.Read(Destination.Take(1), _one);

        public void Dispose() => _device.Free(_memory);
    }
}
