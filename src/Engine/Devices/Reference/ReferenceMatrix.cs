namespace Serving.Devices.Reference;

/// <summary>A matrix that stays as it is stored; rows are widened when they are read.</summary>
sealed class ReferenceMatrix(StoredTensor source)
    : Matrix(source.Shape.Length == 3 ? source.Shape[0] : 1, source.Shape[^2], source.Shape[^1])
{
    /// <summary>The inputs of one output of a matrix of the stack.</summary>
    public void Row(int index, int output, Span<float> values) => RowWidening.Widen(source, index * Outputs + output, values);

    /// <summary>Matrix <paramref name="index"/> times a vector, plus a bias that may be empty, each element summed in double precision and rounded once.</summary>
    public void Multiply(int index, ReadOnlySpan<float> source, ReadOnlySpan<float> bias, Span<float> destination)
    {
        var weights = new float[Inputs];
        for (var output = 0; output < Outputs; output++)
        {
            Row(index, output, weights);
            destination[output] = (float)(Dot(weights, source) + (bias.IsEmpty ? 0 : bias[output]));
        }
    }

    /// <summary>The sum of products, in double precision.</summary>
    public static double Dot(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        var sum = 0.0;
        for (var i = 0; i < left.Length; i++) sum += (double)left[i] * right[i];
        return sum;
    }
}
