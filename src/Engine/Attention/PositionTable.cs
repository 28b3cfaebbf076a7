namespace Serving.Attention;

/// <summary>Numbers that depend on a token's position, computed on the host; equal tables are filled once a step.</summary>
public abstract record PositionTable
{
    /// <summary>Numbers of a position.</summary>
    public abstract int Width { get; }

    /// <summary>Writes the numbers of one position, computed in double precision.</summary>
    /// <param name="position">Position of the token.</param>
    /// <param name="lengthLimit">Most tokens its sequence may reach.</param>
    /// <param name="values">Where they go: <see cref="Width"/> values.</param>
    public abstract void Fill(int position, int lengthLimit, Span<float> values);

    /// <summary>Writes the numbers of a place in time, height and width; time alone counts for tables that know positions only.</summary>
    /// <param name="place">Place of the token.</param>
    /// <param name="lengthLimit">Most tokens its sequence may reach.</param>
    /// <param name="values">Where they go: <see cref="Width"/> values.</param>
    public virtual void Fill(GridPlace place, int lengthLimit, Span<float> values) => Fill(place.Time, lengthLimit, values);
}

/// <summary>
/// Where a token stands among text and images (multimodal rotary embedding, Wang et al., arXiv 2409.12191, section 2.1): the three are equal
/// for text; the parts of an image have one time, and their row and column.
/// </summary>
/// <param name="Time">Position in time.</param>
/// <param name="Height">Position by rows.</param>
/// <param name="Width">Position by columns.</param>
public readonly record struct GridPlace(int Time, int Height, int Width)
{
    /// <summary>One of the three, in this order.</summary>
    public int this[int component] => component switch { 0 => Time, 1 => Height, _ => Width };
}

/// <summary>A factor that grows with the logarithm of the position (Llama 4): 1 + Beta * ln(1 + floor((position + Offset) / Interval)).</summary>
/// <param name="Beta">Weight of the logarithm.</param>
/// <param name="Interval">Positions over which the factor stays the same.</param>
/// <param name="Offset">Added to positions.</param>
public sealed record PositionScale(double Beta, double Interval, int Offset = 0) : PositionTable
{
    /// <inheritdoc/>
    public override int Width => 1;

    /// <inheritdoc/>
    public override void Fill(int position, int lengthLimit, Span<float> values) =>
        values[0] = (float)(1 + Beta * Math.Log(1 + Math.Floor((position + Offset) / Interval)));
}

/// <summary>
/// The sinusoidal embedding (Vaswani et al., arXiv 1706.03762, section 3.5) of the number of a token's block of neighbours: sine and
/// cosine of block * Base^(-2i / Values) in turn.
/// </summary>
/// <param name="Values">Numbers, an even number of them.</param>
/// <param name="Stride">Tokens of a block.</param>
/// <param name="Base">The base of the frequencies.</param>
public sealed record BlockEmbedding(int Values, int Stride, double Base = 10000) : PositionTable
{
    /// <inheritdoc/>
    public override int Width => Values;

    /// <inheritdoc/>
    public override void Fill(int position, int lengthLimit, Span<float> values)
    {
        for (var i = 0; i < Values; i += 2)
        {
            var (sin, cos) = Math.SinCos(position / Stride * Math.Pow(Base, -(double)i / Values));
            (values[i], values[i + 1]) = ((float)sin, (float)cos);
        }
    }
}
