namespace Serving.Devices;

/// <summary>A kind of normalisation of a vector.</summary>
public enum NormKind
{
    /// <summary>x / sqrt(mean(x^2) + eps).</summary>
    RootMeanSquare,

    /// <summary>(x - mean) / sqrt(variance + eps).</summary>
    Layer,

    /// <summary>x / max(sqrt(sum(x^2)), eps).</summary>
    Euclid,
}

/// <summary>A normalisation with its weights on the device.</summary>
/// <param name="Kind">What the vector is divided by.</param>
/// <param name="Epsilon">Added under the root.</param>
/// <param name="Weight">Factors [1 x width], the same for every vector of a row, or [1 x heads * width]; empty for none.</param>
/// <param name="Bias">Added after the factors, in either size; empty for none.</param>
/// <param name="Offset">Added to every factor: 1 for models that store w of 1 + w.</param>
public readonly record struct Norm(NormKind Kind, float Epsilon, Tensor Weight = default, Tensor Bias = default, float Offset = 0);

/// <summary>A non-linear function of one value.</summary>
public enum Activation
{
    /// <summary>x * sigmoid(x).</summary>
    Silu,

    /// <summary>x * Phi(x), with the error function.</summary>
    Gelu,

    /// <summary>x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).</summary>
    GeluTanh,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>max(x, 0)^2.</summary>
    ReluSquared,

    /// <summary>1 / (1 + exp(-x)).</summary>
    Sigmoid,

    /// <summary>The hyperbolic tangent.</summary>
    Tanh,

    /// <summary>ln(1 + e^x).</summary>
    Softplus,
}

/// <summary>
/// How a gate acts on what it gates: min(f(min(gate, GateLimit)), ResultLimit) * (clamp(up, -UpLimit, UpLimit) + UpOffset).
/// A limit of 0 is none.
/// </summary>
/// <param name="Function">The function f.</param>
/// <param name="Sharpness">a in x * sigmoid(a * x), for <see cref="Activation.Silu"/> alone.</param>
/// <param name="GateLimit">Upper bound on what enters the function.</param>
/// <param name="ResultLimit">Upper bound on what leaves the function.</param>
/// <param name="UpLimit">Bound on the size of what is gated.</param>
/// <param name="UpOffset">Added to what is gated, after the bound.</param>
public readonly record struct GateRule(
    Activation Function, float Sharpness = 1, float GateLimit = 0, float ResultLimit = 0, float UpLimit = 0, float UpOffset = 0)
{
    /// <summary>The function alone, with nothing around it.</summary>
    public static implicit operator GateRule(Activation function) => new(function);
}

/// <summary>Which way pages go between the device's memory and host memory that is kept for them.</summary>
public enum Swap
{
    /// <summary>To the host.</summary>
    Out,

    /// <summary>Back to the device.</summary>
    In,
}
