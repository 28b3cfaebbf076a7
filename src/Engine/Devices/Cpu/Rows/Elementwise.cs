using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>A function of one value, sixteen at a time.</summary>
interface IFunction
{
    /// <summary>The function's values.</summary>
    static abstract Vector512<float> Of(Vector512<float> x);
}

/// <summary>What a gate rule does to gates and to what they multiply, sixteen at a time.</summary>
interface IGate
{
    /// <summary>The gate's part.</summary>
    Vector512<float> Gate(Vector512<float> x);

    /// <summary>What the gate multiplies.</summary>
    Vector512<float> Up(Vector512<float> x);
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
            Vector512.MultiplyAddEstimate(Vector512.Load(source + i), factor, Vector512.Load(destination + i)).Store(destination + i);
        for (; i < width; i++) destination[i] = float.MultiplyAddEstimate(source[i], scale, destination[i]);
    }

    /// <summary>destination *= factor, for one vector.</summary>
    public static void Scale(float* destination, float factor, int width)
    {
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count) (Vector512.Load(destination + i) * factor).Store(destination + i);
        for (; i < width; i++) destination[i] *= factor;
    }

    /// <summary>destination = bias + the sum over taps of weights * windows, tap after tap, for one vector; bias may be null.</summary>
    public static void Convolve(float* windows, float* weights, float* bias, float* destination, int width, int taps)
    {
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count)
        {
            var sum = bias is null ? Vector512<float>.Zero : Vector512.Load(bias + i);
            for (var tap = 0; tap < taps; tap++)
                sum = Vector512.MultiplyAddEstimate(Vector512.Load(windows + tap * width + i), Vector512.Load(weights + tap * width + i), sum);
            sum.Store(destination + i);
        }
        for (; i < width; i++)
        {
            var sum = bias is null ? 0 : bias[i];
            for (var tap = 0; tap < taps; tap++) sum = float.MultiplyAddEstimate(windows[tap * width + i], weights[tap * width + i], sum);
            destination[i] = sum;
        }
    }

    /// <summary>The sum of products of two vectors.</summary>
    public static float Dot(float* left, float* right, int width)
    {
        var (sum, i) = (Vector512<float>.Zero, 0);
        for (; i <= width - Lanes.Count; i += Lanes.Count) sum = Vector512.MultiplyAddEstimate(Vector512.Load(left + i), Vector512.Load(right + i), sum);
        var total = Lanes.Sum(sum);
        for (; i < width; i++) total = float.MultiplyAddEstimate(left[i], right[i], total);
        return total;
    }

    /// <summary>e^x over the sum of e^x, in place, for one vector.</summary>
    public static void Softmax(float* values, int width)
    {
        var (greatest, sum) = (float.NegativeInfinity, 0f);
        for (var i = 0; i < width; i++) greatest = MathF.Max(greatest, values[i]);
        for (var i = 0; i < width; i++) sum += values[i] = Lanes.Exp(Vector512.Create(values[i] - greatest))[0];
        for (var i = 0; i < width; i++) values[i] /= sum;
    }

    /// <summary>destination = gate and up by the rule, for one vector; up may be null.</summary>
    public static void Activate(GateRule rule, float* gate, float* up, float* destination, int width)
    {
        switch (rule.Function)
        {
            case Activation.Silu: Map<Silu>(rule, gate, up, destination, width); break;
            case Activation.Gelu: Map<Gelu>(rule, gate, up, destination, width); break;
            case Activation.GeluTanh: Map<GeluTanh>(rule, gate, up, destination, width); break;
            case Activation.Relu: Map<Relu>(rule, gate, up, destination, width); break;
            case Activation.ReluSquared: Map<ReluSquared>(rule, gate, up, destination, width); break;
            case Activation.Sigmoid: Map<SigmoidOf>(rule, gate, up, destination, width); break;
            case Activation.Tanh: Map<TanhOf>(rule, gate, up, destination, width); break;
            case Activation.Softplus: Map<Softplus>(rule, gate, up, destination, width); break;
            default: throw new ArgumentOutOfRangeException(nameof(rule), $"{rule.Function} is no activation.");
        }
    }

    static void Map<TFunction>(GateRule rule, float* gate, float* up, float* destination, int width) where TFunction : struct, IFunction
    {
        if (rule == rule.Function) Map(new Plain<TFunction>(), gate, up, destination, width);
        else Map(new Bounded<TFunction>(rule), gate, up, destination, width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Map<TGate>(TGate gates, float* gate, float* up, float* destination, int width) where TGate : struct, IGate
    {
        var i = 0;
        for (; i <= width - Lanes.Count; i += Lanes.Count)
        {
            var value = gates.Gate(Vector512.Load(gate + i));
            (up is null ? value : value * gates.Up(Vector512.Load(up + i))).Store(destination + i);
        }
        if (i == width) return;
        var rest = stackalloc float[2 * Lanes.Count];
        new ReadOnlySpan<float>(gate + i, width - i).CopyTo(new Span<float>(rest, Lanes.Count));
        var last = gates.Gate(Vector512.Load(rest));
        if (up is not null)
        {
            new ReadOnlySpan<float>(up + i, width - i).CopyTo(new Span<float>(rest + Lanes.Count, Lanes.Count));
            last *= gates.Up(Vector512.Load(rest + Lanes.Count));
        }
        last.Store(rest);
        new ReadOnlySpan<float>(rest, width - i).CopyTo(new Span<float>(destination + i, width - i));
    }

    readonly struct Plain<TFunction> : IGate where TFunction : struct, IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Gate(Vector512<float> x) => TFunction.Of(x);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Up(Vector512<float> x) => x;
    }

    readonly struct Bounded<TFunction>(GateRule rule) : IGate where TFunction : struct, IFunction
    {
        // x * sigmoid(a x) is silu(a x) / a.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Gate(Vector512<float> x) => Vector512.Min(
            TFunction.Of(Vector512.Min(x, Limit(rule.GateLimit)) * rule.Sharpness) / Vector512.Create(rule.Sharpness), Limit(rule.ResultLimit));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Up(Vector512<float> x) =>
            Vector512.Max(Vector512.Min(x, Limit(rule.UpLimit)), -Limit(rule.UpLimit)) + Vector512.Create(rule.UpOffset);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector512<float> Limit(float limit) => Vector512.Create(limit > 0 ? limit : float.PositiveInfinity);
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

    readonly struct TanhOf : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Of(Vector512<float> x) => Lanes.Tanh(x);
    }

    // Of the few values a token has: the library's logarithm, value by value.
    readonly struct Softplus : IFunction
    {
        public static Vector512<float> Of(Vector512<float> x)
        {
            var values = stackalloc float[Lanes.Count];
            x.Store(values);
            for (var i = 0; i < Lanes.Count; i++) values[i] = (float)(Math.Max(values[i], 0) + Math.Log(1 + Math.Exp(-Math.Abs((double)values[i]))));
            return Vector512.Load(values);
        }
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
            var cubed = Vector512.MultiplyAddEstimate(x * x * x, Vector512.Create(0.044715f), x);
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
