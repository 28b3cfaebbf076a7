using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>A <see cref="RowGate"/> with this device's matrices.</summary>
sealed record CpuGate(CpuMatrix Embedding, CpuMatrix Keys, CpuMatrix Values, GateNorm Norm);

/// <summary>Gates and norms the rebuilt keys and values of some neighbouring positions, in place.</summary>
unsafe struct GateJob : IJob
{
    /// <summary>Positions of a part.</summary>
    public const int PartRows = 8;

    public GateNorm Norm;
    public Tensor Keys, Values, KeyGates, ValueGates;

    public readonly void Run(int part, int worker)
    {
        var end = Math.Min(Keys.Rows, (part + 1) * PartRows);
        for (var place = part * PartRows; place < end; place++)
        {
            for (var head = 0; head < Keys.Heads; head++)
            {
                Multiply(Keys.At(place, head), KeyGates.At(place, head), Keys.Width);
                Multiply(Values.At(place, head), ValueGates.At(place, head), Values.Width);
            }
            Normalize(place);
        }
    }

    readonly void Normalize(int place)
    {
        var heads = Keys.Heads;
        switch (Norm.Span)
        {
            case GateSpan.All:
                Normalize(place, 0, heads, keys: true, values: true);
                break;
            case GateSpan.Head:
                for (var head = 0; head < heads; head++) Normalize(place, head, 1, keys: true, values: true);
                break;
            case GateSpan.Part:
                Normalize(place, 0, heads, keys: true, values: false);
                Normalize(place, 0, heads, keys: false, values: true);
                break;
        }
    }

    readonly void Normalize(int place, int first, int heads, bool keys, bool values)
    {
        var count = heads * ((keys ? Keys.Width : 0) + (values ? Values.Width : 0));
        float sum = 0, squares = 0;
        for (var head = first; head < first + heads; head++)
        {
            if (keys) sum += VectorNorms.Sum(Keys.At(place, head), Keys.Width);
            if (values) sum += VectorNorms.Sum(Values.At(place, head), Values.Width);
        }
        var mean = sum / count;
        for (var head = first; head < first + heads; head++)
        {
            if (keys) squares += VectorNorms.SumSquares(Keys.At(place, head), mean, Keys.Width);
            if (values) squares += VectorNorms.SumSquares(Values.At(place, head), mean, Values.Width);
        }
        var factor = 1 / MathF.Sqrt(squares / count + Norm.Epsilon);
        for (var head = first; head < first + heads; head++)
        {
            if (keys) Apply(Keys.At(place, head), mean, factor, Norm.KeyWeight, Norm.KeyBias, head, Keys.Width);
            if (values) Apply(Values.At(place, head), mean, factor, Norm.ValueWeight, Norm.ValueBias, head, Values.Width);
        }
    }

    static void Apply(float* vector, float mean, float factor, in Tensor weights, in Tensor biases, int head, int width)
    {
        float* weight = weights.At(0) + head * width, bias = biases.At(0) + head * width;
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count)
            ((Vector512.Load(vector + i) - Vector512.Create(mean)) * factor * Vector512.Load(weight + i) + Vector512.Load(bias + i)).Store(vector + i);
        for (; i < width; i++) vector[i] = (vector[i] - mean) * factor * weight[i] + bias[i];
    }

    static void Multiply(float* vector, float* factors, int width)
    {
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count) (Vector512.Load(vector + i) * Vector512.Load(factors + i)).Store(vector + i);
        for (; i < width; i++) vector[i] *= factors[i];
    }
}
