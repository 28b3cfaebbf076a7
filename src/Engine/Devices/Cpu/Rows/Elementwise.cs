using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>A function of one value, sixteen at a time.</summary>
interface IFunction
{
    /// <summary>The function's values.</summary>
    static abstract Vector512<float> Of(Vector512<float> x);
}

/// <summary>Operations that take each value alone.</summary>
static unsafe class Elementwise
{
    /// <summary>destination += source * scale, for one vector.</summary>
    public static void Add(float* source, float scale, float* destination, int width)
    {
        var factor = Vector512.Create(scale);
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count)
            Vector512.FusedMultiplyAdd(Vector512.Load(source + i), factor, Vector512.Load(destination + i)).Store(destination + i);
        for (; i < width; i++) destination[i] = MathF.FusedMultiplyAdd(source[i], scale, destination[i]);
    }

    /// <summary>destination *= factor, for one vector.</summary>
    public static void Scale(float* destination, float factor, int width)
    {
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count) (Vector512.Load(destination + i) * factor).Store(destination + i);
        for (; i < width; i++) destination[i] *= factor;
    }

    /// <summary>destination = activation(gate) * up, for one vector; up may be null.</summary>
    public static void Activate(Activation activation, float* gate, float* up, float* destination, int width)
    {
        switch (activation)
        {
            case Activation.Silu: Map<Silu>(gate, up, destination, width); break;
            case Activation.Gelu: Map<Gelu>(gate, up, destination, width); break;
            case Activation.GeluTanh: Map<GeluTanh>(gate, up, destination, width); break;
            case Activation.Relu: Map<Relu>(gate, up, destination, width); break;
            case Activation.ReluSquared: Map<ReluSquared>(gate, up, destination, width); break;
            case Activation.Sigmoid: Map<SigmoidOf>(gate, up, destination, width); break;
            default: throw new ArgumentOutOfRangeException(nameof(activation), $"{activation} is no activation.");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Map<TFunction>(float* gate, float* up, float* destination, int width) where TFunction : struct, IFunction
    {
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count)
        {
            var value = TFunction.Of(Vector512.Load(gate + i));
            (up is null ? value : value * Vector512.Load(up + i)).Store(destination + i);
        }
        if (i == width) return;
        var rest = stackalloc float[Lanes.Count];
        new ReadOnlySpan<float>(gate + i, width - i).CopyTo(new Span<float>(rest, Lanes.Count));
        TFunction.Of(Vector512.Load(rest)).Store(rest);
        for (var lane = 0; i < width; i++, lane++) destination[i] = up is null ? rest[lane] : rest[lane] * up[i];
    }

    readonly struct Silu : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Of(Vector512<float> x) => x * Lanes.Sigmoid(x);
    }

    readonly struct SigmoidOf : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Of(Vector512<float> x) => Lanes.Sigmoid(x);
    }

    readonly struct Gelu : IFunction
    {
        public static Vector512<float> Of(Vector512<float> x)
        {
            var values = stackalloc float[Lanes.Count];
            x.Store(values);
            for (var i = 0; i < Lanes.Count; i++) values[i] = (float)(values[i] * ErrorFunction.Normal(values[i]));
            return Vector512.Load(values);
        }
    }

    readonly struct GeluTanh : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Of(Vector512<float> x)
        {
            // (1 + tanh y) / 2 is the sigmoid of 2y: no difference of near values where y is far below zero.
            var cubed = Vector512.FusedMultiplyAdd(x * x * x, Vector512.Create(0.044715f), x);
            return x * Lanes.Sigmoid(cubed * (2 * 0.7978845608028654f));
        }
    }

    readonly struct Relu : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Of(Vector512<float> x) => Vector512.Max(x, Vector512<float>.Zero);
    }

    readonly struct ReluSquared : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Of(Vector512<float> x)
        {
            var kept = Vector512.Max(x, Vector512<float>.Zero);
            return kept * kept;
        }
    }
}

/// <summary>The normal distribution, for the activation that is defined by it.</summary>
static class ErrorFunction
{
    /// <summary>The chance that a normal value lies below <paramref name="x"/>, within 1e-9.</summary>
    public static double Normal(double x)
    {
        var size = Math.Abs(x) * 0.70710678118654752;
        var upper = size < 2.5 ? 1 - Series(size) : Fraction(size);
        return x < 0 ? upper / 2 : 1 - upper / 2;
    }

    // erf z = 2 / sqrt(pi) * sum of (-1)^n z^(2n+1) / (n! (2n+1)): at z = 2.5 the largest term is about 80, so 1e-14 is left.
    static double Series(double z)
    {
        var (term, sum) = (z, z);
        for (var n = 1; n < 60 && Math.Abs(term) > 1e-17; n++)
        {
            term *= -z * z / n;
            sum += term / (2 * n + 1);
        }
        return sum * 1.1283791670955126;
    }

    // erfc z = e^(-z^2) / sqrt(pi) / (z + (1/2) / (z + 1 / (z + (3/2) / (z + ...)))).
    static double Fraction(double z)
    {
        if (z > 27) return 0;
        var tail = z;
        for (var n = 40; n > 0; n--) tail = z + n / 2.0 / tail;
        return Math.Exp(-z * z) / (1.7724538509055159 * tail);
    }
}
