using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Attention;

/// <summary>A chain of steps from one row of values to another.</summary>
/// <param name="Steps">The steps, in order.</param>
public sealed record Projection(ImmutableArray<Step> Steps)
{
    /// <summary>A chain of the given steps.</summary>
    public static Projection Of(params ReadOnlySpan<Step?> steps)
    {
        var kept = ImmutableArray.CreateBuilder<Step>(steps.Length);
        foreach (var step in steps)
            if (step is not null) kept.Add(step);
        return new(kept.DrainToImmutable());
    }
}

/// <summary>One step of a <see cref="Projection"/>. Names are those of the checkpoint.</summary>
public abstract record Step
{
    /// <summary>y = W x + b; of a row that is a multiple of <paramref name="Inputs"/> wide, for each vector of that width.</summary>
    /// <param name="Weight">Stored matrix [outputs x inputs]; of an expert, "{0}" in it stands for the number, and without that the matrices are stacked.</param>
    /// <param name="Outputs">Rows that are used.</param>
    /// <param name="Inputs">Width of x.</param>
    public sealed record Linear(string Weight, int Outputs, int Inputs) : Step
    {
        /// <summary>First row that is used; with <see cref="Parts"/>, in each part.</summary>
        public int First { get; init; }

        /// <summary>Equal parts of the stored matrix (heads, pairs of columns), each of which gives Outputs / Parts neighbouring rows.</summary>
        public int Parts { get; init; } = 1;

        /// <summary>The matrix is stored as [inputs x outputs], and rows mean its columns.</summary>
        public bool Transposed { get; init; }

        /// <summary>Rows of the whole stored matrix; 0 when all are used.</summary>
        public int Of { get; init; }

        /// <summary>Stored vector [rows of the matrix] that is added; null for none.</summary>
        public string? Bias { get; init; }

        /// <summary>The matrix, where it is made of stored ones; null where it is stored.</summary>
        public MadeMatrix? Made { get; init; }

        /// <summary>The vector that is added, as one row, where it is made of stored ones.</summary>
        public MadeMatrix? MadeBias { get; init; }

        /// <summary>A matrix that is made of stored ones.</summary>
        public static Linear From(MadeMatrix made, MadeMatrix? bias = null) => new("", made.Rows, made.Columns) { Made = made, MadeBias = bias };

        /// <summary>Rows of the whole stored matrix.</summary>
        public int StoredRows => Of == 0 ? Outputs : Of;

        /// <summary>The stored rows that are used, in order.</summary>
        public int[] UsedRows()
        {
            var (part, used) = (StoredRows / Parts, Outputs / Parts);
            return [.. Enumerable.Range(0, Outputs).Select(row => row / used * part + First + row % used)];
        }
    }

    /// <summary>Normalises vectors of <paramref name="Width"/> values, or the row when it is that wide.</summary>
    /// <param name="Kind">What a vector is divided by.</param>
    /// <param name="Width">Values of a vector.</param>
    /// <param name="Epsilon">Added under the root.</param>
    /// <param name="Weight">Stored factors [width] or [row]; null for none. With "{0}", the vectors 0, 1 and on side by side.</param>
    public sealed record Normalize(NormKind Kind, int Width, float Epsilon, string? Weight) : Step
    {
        /// <summary>Stored vector that is added after the factors; null for none.</summary>
        public string? Bias { get; init; }

        /// <summary>Added to every factor.</summary>
        public float Offset { get; init; }

        /// <summary>The factors as one row, where they are made of stored ones.</summary>
        public MadeMatrix? Made { get; init; }
    }

    /// <summary>Turns the values Offset up to Offset + the rotary width of every vector of <paramref name="Width"/> values by the position.</summary>
    /// <param name="Rotary">Frequencies and layout.</param>
    /// <param name="Width">Values of a vector.</param>
    /// <param name="Offset">First value that turns.</param>
    public sealed record Rotate(RotaryPlan Rotary, int Width, int Offset = 0) : Step;

    /// <summary>Multiplies by a factor that depends on the token's position.</summary>
    /// <param name="Factor">The factor.</param>
    public sealed record MultiplyByPosition(PositionScale Factor) : Step;

    /// <summary>y = W[h] x for vector h of the row.</summary>
    /// <param name="Heads">A matrix for every vector.</param>
    public sealed record LinearByHead(ImmutableArray<MadeMatrix> Heads) : Step;

    /// <summary>y = f(G x) * (U x), for each vector of the row as wide as the matrices take.</summary>
    /// <param name="Gate">The matrix G.</param>
    /// <param name="Up">The matrix U.</param>
    /// <param name="Rule">The function f.</param>
    public sealed record Gated(Linear Gate, Linear Up, GateRule Rule) : Step;

    /// <summary>The row several times, side by side.</summary>
    /// <param name="Times">How often.</param>
    public sealed record Repeat(int Times) : Step;

    /// <summary>The sum of equal parts of the row.</summary>
    /// <param name="Parts">How many.</param>
    public sealed record SumOfParts(int Parts) : Step;

    /// <summary>A function of every value.</summary>
    /// <param name="Function">The function.</param>
    public sealed record Activate(Activation Function) : Step;

    /// <summary>The row becomes e^x over the sum of e^x of its values.</summary>
    public sealed record Softmax : Step;

    /// <summary>Values of a <see cref="SharedRow"/> of the layer, in place of the row so far.</summary>
    /// <param name="Row">Its name.</param>
    /// <param name="Offset">First value.</param>
    /// <param name="Width">Values.</param>
    public sealed record Take(string Row, int Offset, int Width) : Step;

    /// <summary>Leaves the row for later layers and goes on with it.</summary>
    /// <param name="Row">Its name; a later layer of that name leaves its own in its place.</param>
    /// <param name="Width">Values of the row.</param>
    public sealed record Carry(string Row, int Width) : Step;

    /// <summary>The row that an earlier layer left, in place of the row so far.</summary>
    /// <param name="Row">Its name.</param>
    public sealed record Carried(string Row) : Step;

    /// <summary>What several chains make of the row, side by side.</summary>
    /// <param name="Parts">The chains.</param>
    public sealed record Beside(ImmutableArray<Projection> Parts) : Step;

    /// <summary>The sum of what several chains make of the row; an empty chain gives the row itself.</summary>
    /// <param name="Parts">The chains.</param>
    public sealed record Sum(ImmutableArray<Projection> Parts) : Step
    {
        /// <summary>From the row to a factor for each part, or more, of which the first count; null for none.</summary>
        public Projection? Weights { get; init; }
    }

    /// <summary>Feeds the row to a <see cref="LayerState"/> of the layer and goes on with what its update gives in return.</summary>
    /// <param name="State">Its name.</param>
    public sealed record Remember(string State) : Step;

    /// <summary>
    /// Writes a memory of the layer by the gated delta rule, head by head, and goes on with what each query reads of it. All parts are
    /// made of the row.
    /// </summary>
    /// <param name="State">Name of a <see cref="StateUpdate.DeltaRule"/>.</param>
    /// <param name="Query">Queries, heads side by side.</param>
    /// <param name="Key">Keys.</param>
    /// <param name="Value">Values.</param>
    public sealed record Delta(string State, Projection Query, Projection Key, Projection Value) : Step
    {
        /// <summary>Logarithms of the factors by which the memory's rows fade, as wide as keys.</summary>
        public required Projection LogDecay { get; init; }

        /// <summary>How much of what is new each head writes.</summary>
        public required Projection Strength { get; init; }
    }

    /// <summary>
    /// y[h] = bias[h] + the sum over taps t of w[h, t] * x[h, t], value by value, for the vectors h of a row of windows; with one tap a
    /// factor and a bias for every value.
    /// </summary>
    /// <param name="Weights">One row [heads x taps x width].</param>
    /// <param name="Heads">Vectors of the row.</param>
    /// <param name="Taps">Rows of a window.</param>
    public sealed record Convolve(MadeMatrix Weights, int Heads, int Taps) : Step
    {
        /// <summary>One row [heads x width] that is added; null for none.</summary>
        public MadeMatrix? Bias { get; init; }
    }

    /// <summary>The id of the row's token, as a number, in place of the row so far.</summary>
    public sealed record TokenIds : Step;

    /// <summary>1 for a token of one of the given ids, else 0, in place of the row so far.</summary>
    /// <param name="Ids">The ids.</param>
    public sealed record IsOneOf(ImmutableArray<int> Ids) : Step;

    /// <summary>The row of an embedding that belongs to the row's token, in place of the row so far.</summary>
    /// <param name="Weight">Stored matrix [Ids x Width].</param>
    /// <param name="Ids">Ids.</param>
    /// <param name="Width">Values of a row.</param>
    public sealed record TokenEmbedding(string Weight, int Ids, int Width) : Step;

    /// <summary>Multiplies value by value by what a chain makes of the row.</summary>
    /// <param name="Factors">The chain.</param>
    public sealed record MultiplyBy(Projection Factors) : Step;

    /// <summary>Multiplies the row by the sigmoid of a product of two vectors, one made of the token's position and one of the row.</summary>
    /// <param name="Table">Numbers of the position.</param>
    /// <param name="OfPosition">From them to the one vector.</param>
    /// <param name="OfRow">From the row to the other.</param>
    public sealed record Weigh(PositionTable Table, Linear OfPosition, Linear OfRow) : Step;

    /// <summary>Multiplies by a number.</summary>
    /// <param name="Factor">The number.</param>
    public sealed record Multiply(float Factor) : Step;
}
