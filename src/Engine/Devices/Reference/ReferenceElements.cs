namespace Serving.Devices.Reference;

/// <summary>Normalisation, rotation and activation of single vectors and values, in double precision and rounded once.</summary>
static class ReferenceElements
{
    /// <summary>Normalises one vector; <paramref name="factors"/> and <paramref name="bias"/> are its own, or empty.</summary>
    public static void Normalize(Norm norm, ReadOnlySpan<float> source, ReadOnlySpan<float> factors, ReadOnlySpan<float> bias, Span<float> destination)
    {
        var (mean, divisor) = Divisor(norm, source);
        for (var i = 0; i < source.Length; i++)
        {
            var value = (source[i] - mean) / divisor;
            if (!factors.IsEmpty) value *= (double)factors[i] + norm.Offset;
            if (!bias.IsEmpty) value += bias[i];
            destination[i] = (float)value;
        }
    }

    /// <summary>Turns the pairs of a vector; <paramref name="angles"/> holds all cosines, then all sines.</summary>
    public static void Rotate(Span<float> vector, ReadOnlySpan<float> angles, bool interleaved)
    {
        var half = vector.Length / 2;
        for (var i = 0; i < half; i++)
        {
            var (first, second) = interleaved ? (2 * i, 2 * i + 1) : (i, i + half);
            double x = vector[first], y = vector[second], cos = angles[i], sin = angles[half + i];
            vector[first] = (float)(x * cos - y * sin);
            vector[second] = (float)(x * sin + y * cos);
        }
    }

    /// <summary>e^x over the sum of e^x, in place.</summary>
    public static void Softmax(Span<float> values)
    {
        var greatest = double.NegativeInfinity;
        foreach (var value in values) greatest = Math.Max(greatest, value);
        var sum = 0.0;
        foreach (var value in values) sum += Math.Exp(value - greatest);
        for (var i = 0; i < values.Length; i++) values[i] = (float)(Math.Exp(values[i] - greatest) / sum);
    }

    /// <summary>The gate's part of a rule.</summary>
    public static double Activate(GateRule rule, double gate)
    {
        var result = Activate(rule.Function, rule.GateLimit > 0 ? Math.Min(gate, rule.GateLimit) : gate, rule.Sharpness);
        return rule.ResultLimit > 0 ? Math.Min(result, rule.ResultLimit) : result;
    }

    /// <summary>What the gate is multiplied with.</summary>
    public static double Gated(GateRule rule, double up) => (rule.UpLimit > 0 ? Math.Clamp(up, -rule.UpLimit, rule.UpLimit) : up) + rule.UpOffset;

    static double Activate(Activation activation, double x, double sharpness) => activation switch
    {
        Activation.Silu => x / (1 + Math.Exp(-sharpness * x)),
        Activation.Gelu => x * NormalDistribution(x),
        Activation.GeluTanh => x / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
        Activation.Relu => Math.Max(x, 0),
        Activation.ReluSquared => Math.Max(x, 0) * Math.Max(x, 0),
        Activation.Sigmoid => 1 / (1 + Math.Exp(-x)),
        Activation.Tanh => Math.Tanh(x),
        Activation.Softplus => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x))),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), $"No activation has the number {(int)activation}."),
    };

    static (double Mean, double Divisor) Divisor(Norm norm, ReadOnlySpan<float> source)
    {
        var mean = 0.0;
        if (norm.Kind == NormKind.Layer)
        {
            foreach (var value in source) mean += value;
            mean /= source.Length;
        }
        var squares = 0.0;
        foreach (var value in source) squares += (value - mean) * (value - mean);
        return (mean, norm.Kind == NormKind.Euclid
            ? Math.Max(Math.Sqrt(squares), norm.Epsilon)
            : Math.Sqrt(squares / source.Length + norm.Epsilon));
    }

    // Phi(x): near zero 1/2 + phi(x) (x + x^3/3 + x^5/15 + ...), whose terms are all of one sign;
    // in the tails the continued fraction of Mills' ratio (Abramowitz and Stegun 26.2.11 and 26.2.14).
    static double NormalDistribution(double x)
    {
        var density = Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);
        var size = Math.Abs(x);
        if (size > 4)
        {
            var ratio = size;
            for (var k = 60; k >= 1; k--) ratio = size + k / ratio;
            return x < 0 ? density / ratio : 1 - density / ratio;
        }
        var (term, sum) = (x, 0.0);
        for (var k = 3; Math.Abs(term) > 1e-18 * Math.Abs(sum); k += 2)
        {
            sum += term;
            term *= x * x / k;
        }
        return 0.5 + density * sum;
    }
}
