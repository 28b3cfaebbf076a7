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
}
