namespace Serving.Devices;

/// <summary>The coarsest rounding that products may give to their inputs; each allows what stands before it.</summary>
public enum ActivationType
{
    /// <summary>None: inputs are float32, whatever the weights.</summary>
    Float32,

    /// <summary>
    /// Against whole-number weights (Q4_0, Q4_1, Q8_0), each 32 inputs are 16-bit integers with a common scale, off by at most
    /// 1/65534 of the largest of them; sums within such a block are exact.
    /// </summary>
    Int16,

    /// <summary>Against bfloat16 weights, inputs are rounded to bfloat16, off by at most 1/256 of each, as other engines do.</summary>
    BFloat16,

    /// <summary>
    /// Against whole-number weights, each 32 inputs are 8-bit integers with a common scale, off by at most 1/254 of the largest of them, as
    /// in llama.cpp; sums within such a block are exact. About half the work of 16 bits.
    /// </summary>
    Int8,
}
