namespace Serving.Attention;

/// <summary>What a layer keeps of a sequence beside rows: a number of float32 values that does not grow, zeros before the first token.</summary>
/// <param name="Name">What steps call it.</param>
/// <param name="Update">How a token changes it.</param>
public sealed record LayerState(string Name, StateUpdate Update)
{
    /// <summary>Values that are kept.</summary>
    public int Values => Update.Values;
}

/// <summary>How the row of a token changes a state, and what the token gets in return.</summary>
/// <param name="Values">Values of the state.</param>
public abstract record StateUpdate(int Values)
{
    /// <summary>Positions at whose multiples nothing of the past is left, so that none needs to be remembered there; 0 for no such positions.</summary>
    public virtual int Period => 0;

    /// <summary>
    /// The rows of the tokens before: the token gets, for each of <paramref name="Heads"/> vectors, those of these rows and its own, the
    /// oldest first. Convolutions over time and delayed values read such windows.
    /// </summary>
    /// <param name="Before">Earlier rows.</param>
    /// <param name="Width">Values of a row.</param>
    /// <param name="Heads">Equal vectors of a row.</param>
    public sealed record Window(int Before, int Width, int Heads = 1) : StateUpdate(Before * Width);

    /// <summary>An exponential average: state = Decay state + (1 - Decay) row. The token gets the new state.</summary>
    /// <param name="Width">Values of a row.</param>
    /// <param name="Decay">Weight of the past.</param>
    public sealed record Average(int Width, float Decay) : StateUpdate(Width);

    /// <summary>The sum of the rows of the token's block of neighbours, up to itself. The token gets the new state.</summary>
    /// <param name="Width">Values of a row.</param>
    /// <param name="Stride">Tokens of a block.</param>
    public sealed record Fold(int Width, int Stride) : StateUpdate(Width)
    {
        /// <inheritdoc/>
        public override int Period => Stride;
    }

    /// <summary>A memory of each head that is written and read by the gated delta rule.</summary>
    /// <param name="Heads">Heads.</param>
    /// <param name="KeyWidth">Values of a key.</param>
    /// <param name="ValueWidth">Values of a value.</param>
    public sealed record DeltaRule(int Heads, int KeyWidth, int ValueWidth) : StateUpdate(Heads * KeyWidth * ValueWidth);
}

/// <summary>A row that several chains of a layer begin with; made once a token, from the layer's input.</summary>
/// <param name="Name">What steps call it.</param>
/// <param name="From">How it is made.</param>
public sealed record SharedRow(string Name, Projection From);
