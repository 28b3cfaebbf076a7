using Serving.Attention;

namespace Serving.Model;

/// <summary>The values of made matrices. What several of them share is made once, for as long as the maker lives.</summary>
/// <param name="read">The values of a stored tensor.</param>
sealed class MatrixMaker(Func<MadeMatrix.Stored, double[]> read)
{
    readonly Dictionary<MadeMatrix, double[]> _made = new(ReferenceEqualityComparer.Instance);

    /// <summary>The values of a matrix, row after row.</summary>
    public double[] Make(MadeMatrix matrix) => _made.TryGetValue(matrix, out var known) ? known : _made[matrix] = matrix switch
    {
        MadeMatrix.Stored stored => read(stored),
        MadeMatrix.Part part => Cut(part),
        MadeMatrix.Transposed turned => Turn(turned.Of),
        MadeMatrix.Reshaped shaped when (long)shaped.Rows * shaped.Columns == (long)shaped.Of.Rows * shaped.Of.Columns => Make(shaped.Of),
        MadeMatrix.Stack stack when stack.All.All(part => part.Columns == stack.Columns) => [.. stack.All.SelectMany(Make)],
        MadeMatrix.Product product when product.Left.Columns == product.Right.Rows => Multiply(product),
        MadeMatrix.Sum sum when (sum.Left.Rows, sum.Left.Columns) == (sum.Right.Rows, sum.Right.Columns) =>
            [.. Make(sum.Left).Zip(Make(sum.Right), (a, b) => a + b)],
        MadeMatrix.Diagonal diagonal when diagonal.Of.Rows == 1 => OnDiagonal(Make(diagonal.Of)),
        MadeMatrix.Given given => [.. Enumerable.Range(0, checked(given.Rows * given.Columns)).Select(i => given.At(i / given.Columns, i % given.Columns))],
        MadeMatrix.Mapped mapped => Array.ConvertAll(Make(mapped.Of), value => mapped.Function(value)),
        MadeMatrix.Values values when (values.Left.Rows, values.Left.Columns) == (values.Right.Rows, values.Right.Columns) =>
            [.. Make(values.Left).Zip(Make(values.Right), (a, b) => a * b)],
        MadeMatrix.Spread spread => [.. Make(spread.Of).SelectMany(value => Enumerable.Repeat(value, spread.Count))],
        MadeMatrix.Identity identity => OnDiagonal([.. Enumerable.Repeat(1.0, identity.Size)]),
        MadeMatrix.Zero => new double[checked(matrix.Rows * matrix.Columns)],
        _ => throw new InvalidOperationException($"{matrix.GetType().Name} of {matrix.Rows} x {matrix.Columns} does not fit its parts."),
    };

    double[] Cut(MadeMatrix.Part part)
    {
        var (source, values) = (Make(part.Of), new double[checked(part.Rows * part.Columns)]);
        for (var row = 0; row < part.Rows; row++)
            source.AsSpan((part.FirstRow + row) * part.Of.Columns + part.FirstColumn, part.Columns).CopyTo(values.AsSpan(row * part.Columns));
        return values;
    }

    double[] Turn(MadeMatrix of)
    {
        var (source, values) = (Make(of), new double[checked(of.Rows * of.Columns)]);
        for (var row = 0; row < of.Rows; row++)
            for (var column = 0; column < of.Columns; column++)
                values[column * of.Rows + row] = source[row * of.Columns + column];
        return values;
    }

    double[] Multiply(MadeMatrix.Product product)
    {
        var (left, right, columns) = (Make(product.Left), Make(product.Right), product.Columns);
        var (values, inner) = (new double[checked(product.Rows * columns)], product.Left.Columns);
        for (var row = 0; row < product.Rows; row++)
            for (var k = 0; k < inner; k++)
                for (var column = 0; column < columns; column++)
                    values[row * columns + column] += left[row * inner + k] * right[k * columns + column];
        return values;
    }

    static double[] OnDiagonal(double[] diagonal)
    {
        var values = new double[checked(diagonal.Length * diagonal.Length)];
        for (var i = 0; i < diagonal.Length; i++) values[i * diagonal.Length + i] = diagonal[i];
        return values;
    }
}
