using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Normalises one vector; sums run in sixteen lanes, then as a tree, then over what is left.</summary>
static unsafe class VectorNorms
{
    /// <summary>destination = norm(source); weights and bias may be null, source and destination the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Normalize(Norm norm, float* source, float* weight, float* bias, float* destination, int width)
    {
        var mean = norm.Kind == NormKind.Layer ? Sum(source, width) / width : 0;
        var squares = SumSquares(source, mean, width);
        var factor = norm.Kind == NormKind.Euclid
            ? 1 / MathF.Max(MathF.Sqrt(squares), norm.Epsilon)
            : 1 / MathF.Sqrt(squares / width + norm.Epsilon);
        var (means, factors, offsets) = (Vector512.Create(mean), Vector512.Create(factor), Vector512.Create(norm.Offset));
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count)
        {
            var value = (Vector512.Load(source + i) - means) * factors;
            if (weight is not null) value *= Vector512.Load(weight + i) + offsets;
            if (bias is not null) value += Vector512.Load(bias + i);
            value.Store(destination + i);
        }
        for (; i < width; i++)
        {
            var value = (source[i] - mean) * factor;
            if (weight is not null) value *= weight[i] + norm.Offset;
            destination[i] = bias is null ? value : value + bias[i];
        }
    }

    /// <summary>The sum of a vector.</summary>
    public static float Sum(float* source, int width)
    {
        var sums = Vector512<float>.Zero;
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count) sums += Vector512.Load(source + i);
        var sum = Lanes.Sum(sums);
        for (; i < width; i++) sum += source[i];
        return sum;
    }

    /// <summary>The sum of squared distances from a number.</summary>
    public static float SumSquares(float* source, float mean, int width)
    {
        var (sums, means) = (Vector512<float>.Zero, Vector512.Create(mean));
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count)
        {
            var value = Vector512.Load(source + i) - means;
            sums = Vector512.MultiplyAddEstimate(value, value, sums);
        }
        var sum = Lanes.Sum(sums);
        for (; i < width; i++) sum = float.MultiplyAddEstimate(source[i] - mean, source[i] - mean, sum);
        return sum;
    }
}
