namespace Serving.Devices;

/// <summary>
/// What an attention kernel is compiled for. The score of head h on a row is query-main . row-main of group h / (QueryHeads / Groups)
/// plus query-rotary . the row's rotary part, which all groups share; the value is the first ValueWidth values of the same main row,
/// or a row of a separate stream, behind which one of a stream that all groups share may stand.
/// </summary>
/// <param name="QueryHeads">Query heads; a multiple of <paramref name="Groups"/>.</param>
/// <param name="Groups">Rows that a token leaves in the main stream.</param>
/// <param name="MainWidth">Values of a main row that a score reads.</param>
/// <param name="RotaryWidth">Values of the shared rotary row; 0 where there is none.</param>
/// <param name="ValueWidth">Values that an output vector takes from its group's rows.</param>
/// <param name="ValueInMain">True when the value is a slice of the main row.</param>
/// <param name="SharedValueWidth">Values behind those that an output vector takes from the rows of all groups; 0 where there are none.</param>
/// <param name="Classes">
/// Classes of tokens; 0 where there are none. A main row of w values and class k is read as Classes parts of w + 1 values, zeros but for
/// part k, which is the row and a one behind it: so a query, and a map on what is read, have weights and biases for each class.
/// </param>
public readonly record struct AttendShape(
    int QueryHeads, int Groups, int MainWidth, int RotaryWidth, int ValueWidth, bool ValueInMain, int SharedValueWidth = 0, int Classes = 0)
{
    /// <summary>Values of an output vector.</summary>
    public int OutputWidth => ValueWidth + SharedValueWidth;
}

/// <summary>
/// Rotary embedding of keys where a row is read, not where it is written: the first values of a key's main part turn by the angles of the
/// key's own position. Values that lie in the same row do not turn.
/// </summary>
/// <param name="Angles">Cosines, then sines, of every position that may be read [positions x width]; empty for keys that do not turn.</param>
/// <param name="Interleaved">Pairs are (2i, 2i + 1) instead of (i, i + width / 2).</param>
public readonly record struct KeyTurn(Tensor Angles, bool Interleaved = false)
{
    /// <summary>True when keys do not turn.</summary>
    public bool IsEmpty => Angles.IsEmpty;
}

/// <summary>What an attention kernel is told at run time.</summary>
/// <param name="Scale">Factor on every score.</param>
/// <param name="Softcap">c in c * tanh(score / c); 0 for none.</param>
/// <param name="Window">A token sees itself and the Window - 1 tokens before it; 0 for all.</param>
/// <param name="Chunk">A token sees tokens of its own chunk floor(position / Chunk) only; 0 for all.</param>
/// <param name="Sinks">One more score a head [1 x heads] that takes weight and gives no value; empty for none.</param>
/// <param name="Turn">How keys turn when they are read; by default they do not.</param>
public readonly record struct ScoreRule(float Scale, float Softcap = 0, int Window = 0, int Chunk = 0, Tensor Sinks = default, KeyTurn Turn = default)
{
    /// <summary>The first position that a token at <paramref name="position"/> sees.</summary>
    public int FirstVisible(int position) => Math.Max(
        Window > 0 ? Math.Max(0, position - Window + 1) : 0,
        Chunk > 0 ? position / Chunk * Chunk : 0);
}

/// <summary>Which values of a position's gated keys and values a layer norm takes together.</summary>
public enum GateSpan
{
    /// <summary>There is no norm.</summary>
    None,

    /// <summary>All of all heads.</summary>
    All,

    /// <summary>Key and value of a head.</summary>
    Head,

    /// <summary>The keys of all heads, and the values of all heads.</summary>
    Part,
}

/// <summary>A layer norm of gated keys and values: (x - mean) / sqrt(variance + Epsilon) * weight + bias. Without one all is empty.</summary>
/// <param name="Span">What is normed together.</param>
/// <param name="Epsilon">Added under the root.</param>
/// <param name="KeyWeight">Factors on keys [1 x heads * key width].</param>
/// <param name="KeyBias">Added to keys [1 x heads * key width].</param>
/// <param name="ValueWeight">Factors on values [1 x heads * value width].</param>
/// <param name="ValueBias">Added to values [1 x heads * value width].</param>
public readonly record struct GateNorm(GateSpan Span, float Epsilon, Tensor KeyWeight, Tensor KeyBias, Tensor ValueWeight, Tensor ValueBias);

/// <summary>
/// A gate on what is rebuilt, by the id of the row's token: key = (Keys[h] c) * (this.Keys[h] e), values alike, where e is the id's row of an
/// embedding; then a norm.
/// </summary>
/// <param name="Embedding">[ids x width of e].</param>
/// <param name="Keys">A stack [heads x key width x width of e].</param>
/// <param name="Values">A stack [heads x value width x width of e].</param>
/// <param name="Norm">The norm.</param>
public sealed record RowGate(Matrix Embedding, Matrix Keys, Matrix Values, GateNorm Norm);

/// <summary>
/// Matrices that rebuild keys and values from cached latents, head by head: key = Keys[h] c and value = Values[h] c for the latent c that
/// head h reads.
/// </summary>
/// <param name="Keys">A stack [heads x key width x latent width].</param>
/// <param name="Values">A stack [heads x value width x latent width]; null where values are cached, a row for each head, and read as they are.</param>
/// <param name="Gate">A gate on keys and values by the ids of tokens, which are cached too; null for none.</param>
public readonly record struct Expansion(Matrix Keys, Matrix? Values, RowGate? Gate = null)
{
    /// <summary>The facts of attention over what was rebuilt: every head has keys and values of its own.</summary>
    public AttendShape ShapeOver(AttendRows cached) => new(
        Keys.Stack, Keys.Stack, Keys.Outputs, cached.Rotary.Width, Values?.Outputs ?? cached.Value.Width, false,
        Values is null ? cached.SharedValue.Width : 0);
}
