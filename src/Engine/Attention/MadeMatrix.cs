using System.Collections.Immutable;

namespace Serving.Attention;

/// <summary>
/// A matrix that is made of stored ones while a model loads, in double precision. Parts, turns and stacks keep bfloat16; anything that
/// computes gives float32.
/// </summary>
/// <param name="Rows">Rows.</param>
/// <param name="Columns">Columns.</param>
public abstract record MadeMatrix(int Rows, int Columns)
{
    /// <summary>Whether all values are stored ones or zeros and ones.</summary>
    public virtual bool IsExact => Parts.All(part => part.IsExact);

    /// <summary>What it is made of.</summary>
    public virtual IEnumerable<MadeMatrix> Parts => [];

    /// <summary>The stored tensors it is made of.</summary>
    public IEnumerable<Stored> Sources => this is Stored stored ? [stored] : Parts.SelectMany(part => part.Sources);

    /// <summary>The rows <paramref name="first"/> up to <paramref name="first"/> + <paramref name="count"/>.</summary>
    public MadeMatrix Take(int first, int count) => new Part(this, first, count, 0, Columns);

    /// <summary>Rows become columns.</summary>
    public MadeMatrix Transpose() => new Transposed(this);

    /// <summary>This matrix times another.</summary>
    public MadeMatrix Times(MadeMatrix right) => new Product(this, right);

    /// <summary>The same values in the same order, in rows of another width.</summary>
    public MadeMatrix Reshape(int rows, int columns) => new Reshaped(this, rows, columns);

    /// <summary>Matrices below one another; those without rows do not count.</summary>
    public static MadeMatrix Below(IEnumerable<MadeMatrix> parts) => new Stack([.. parts.Where(part => part.Rows > 0)]);

    /// <summary>A stored tensor; its last size is the width of a row.</summary>
    /// <param name="Name">Name in the checkpoint.</param>
    /// <param name="Shape">Sizes, outermost first.</param>
    public sealed record Stored(string Name, ImmutableArray<int> Shape) : MadeMatrix(Shape[..^1].Aggregate(1, (a, b) => checked(a * b)), Shape[^1]);

    /// <summary>A rectangle.</summary>
    /// <param name="Of">Of what.</param>
    /// <param name="FirstRow">Its first row.</param>
    /// <param name="Rows">Its rows.</param>
    /// <param name="FirstColumn">Its first column.</param>
    /// <param name="Columns">Its columns.</param>
    public sealed record Part(MadeMatrix Of, int FirstRow, int Rows, int FirstColumn, int Columns) : MadeMatrix(Rows, Columns)
    {
        /// <inheritdoc/>
        public override IEnumerable<MadeMatrix> Parts => [Of];
    }

    /// <summary>Rows become columns.</summary>
    /// <param name="Of">Of what.</param>
    public sealed record Transposed(MadeMatrix Of) : MadeMatrix(Of.Columns, Of.Rows)
    {
        /// <inheritdoc/>
        public override IEnumerable<MadeMatrix> Parts => [Of];
    }

    /// <summary>The same values in rows of another width.</summary>
    /// <param name="Of">Of what.</param>
    /// <param name="Rows">Rows.</param>
    /// <param name="Columns">Columns.</param>
    public sealed record Reshaped(MadeMatrix Of, int Rows, int Columns) : MadeMatrix(Rows, Columns)
    {
        /// <inheritdoc/>
        public override IEnumerable<MadeMatrix> Parts => [Of];
    }

    /// <summary>Matrices below one another.</summary>
    /// <param name="All">The matrices, top to bottom; at least one.</param>
    public sealed record Stack(ImmutableArray<MadeMatrix> All) : MadeMatrix(All.Sum(part => part.Rows), All[0].Columns)
    {
        /// <inheritdoc/>
        public override IEnumerable<MadeMatrix> Parts => All;
    }

    /// <summary>A product.</summary>
    /// <param name="Left">The left matrix.</param>
    /// <param name="Right">The right matrix.</param>
    public sealed record Product(MadeMatrix Left, MadeMatrix Right) : MadeMatrix(Left.Rows, Right.Columns)
    {
        /// <inheritdoc/>
        public override bool IsExact => false;

        /// <inheritdoc/>
        public override IEnumerable<MadeMatrix> Parts => [Left, Right];
    }

    /// <summary>A sum.</summary>
    /// <param name="Left">One matrix.</param>
    /// <param name="Right">The other.</param>
    public sealed record Sum(MadeMatrix Left, MadeMatrix Right) : MadeMatrix(Left.Rows, Left.Columns)
    {
        /// <inheritdoc/>
        public override bool IsExact => false;

        /// <inheritdoc/>
        public override IEnumerable<MadeMatrix> Parts => [Left, Right];
    }

    /// <summary>A row on the diagonal of a matrix of zeros.</summary>
    /// <param name="Of">The row.</param>
    public sealed record Diagonal(MadeMatrix Of) : MadeMatrix(Of.Columns, Of.Columns)
    {
        /// <inheritdoc/>
        public override IEnumerable<MadeMatrix> Parts => [Of];
    }

    /// <summary>A function of every value.</summary>
    /// <param name="Of">Of what.</param>
    /// <param name="Function">The function.</param>
    public sealed record Mapped(MadeMatrix Of, Func<double, double> Function) : MadeMatrix(Of.Rows, Of.Columns)
    {
        /// <inheritdoc/>
        public override bool IsExact => false;

        /// <inheritdoc/>
        public override IEnumerable<MadeMatrix> Parts => [Of];
    }

    /// <summary>The product of two matrices of one size, value by value.</summary>
    /// <param name="Left">One matrix.</param>
    /// <param name="Right">The other.</param>
    public sealed record Values(MadeMatrix Left, MadeMatrix Right) : MadeMatrix(Left.Rows, Left.Columns)
    {
        /// <inheritdoc/>
        public override bool IsExact => false;

        /// <inheritdoc/>
        public override IEnumerable<MadeMatrix> Parts => [Left, Right];
    }

    /// <summary>Every value several times, side by side.</summary>
    /// <param name="Of">Of what.</param>
    /// <param name="Count">How often.</param>
    public sealed record Spread(MadeMatrix Of, int Count) : MadeMatrix(Of.Rows, Of.Columns * Count)
    {
        /// <inheritdoc/>
        public override IEnumerable<MadeMatrix> Parts => [Of];
    }

    /// <summary>Given values.</summary>
    /// <param name="Rows">Rows.</param>
    /// <param name="Columns">Columns.</param>
    /// <param name="At">The value in a row and a column.</param>
    public sealed record Given(int Rows, int Columns, Func<int, int, double> At) : MadeMatrix(Rows, Columns);

    /// <summary>Ones on the diagonal.</summary>
    /// <param name="Size">Rows and columns.</param>
    public sealed record Identity(int Size) : MadeMatrix(Size, Size);

    /// <summary>Zeros.</summary>
    /// <param name="Rows">Rows.</param>
    /// <param name="Columns">Columns.</param>
    public sealed record Zero(int Rows, int Columns) : MadeMatrix(Rows, Columns);
}
