namespace Serving.Devices;

/// <summary>
/// One cached stream of one layer: a region of equal pages. How rows lie inside a page is the device's own affair;
/// a page takes <c>RowsPerPage * Groups</c> vectors of <paramref name="Format"/>.
/// </summary>
/// <param name="Address">Address of page 0.</param>
/// <param name="PageBytes">Bytes from one page to the next.</param>
/// <param name="RowsPerPage">Rows in a page.</param>
/// <param name="Groups">Vectors that a token leaves.</param>
/// <param name="Width">Values of a vector.</param>
/// <param name="Format">How a vector is stored.</param>
public readonly record struct PagedRows(nint Address, long PageBytes, int RowsPerPage, int Groups, int Width, RowFormat Format)
{
    /// <summary>
    /// Neighbouring tokens that share a row, from a multiple of this on. A row is in its page when its last token has written it; until then
    /// each of them reads the row as it leaves it itself.
    /// </summary>
    public int Stride { get; init; } = 1;

    /// <summary>Where every token of a step leaves its row, [row of the step][group], as stored; needed where tokens share rows.</summary>
    public nint Open { get; init; }

    /// <summary>Tokens of a page.</summary>
    public int PageTokens => RowsPerPage * Stride;

    /// <summary>Whether tokens share rows.</summary>
    public bool IsStrided => Stride > 1;

    /// <summary>Whether the token at a position is the last of its row.</summary>
    public bool Closes(int position) => (position + 1) % Stride == 0;

    /// <summary>The last row in a page that a token at a position reads: its own, or where rows are shared the one before.</summary>
    public int LastRow(int position) => Stride == 1 ? position : position / Stride - 1;

    /// <summary>The first row in a page that a token at a position reads. Windows and chunks are multiples of a row, and begin with one.</summary>
    public int FirstRow(ScoreRule rule, int position) => Stride == 1
        ? rule.FirstVisible(position)
        : Math.Max(
            rule.Window > 0 ? Math.Max(0, position / Stride - rule.Window / Stride + 1) : 0,
            rule.Chunk > 0 ? position / rule.Chunk * rule.Chunk / Stride : 0);

    /// <summary>Bytes of a vector.</summary>
    public int VectorBytes => Format.VectorBytes(Width);

    /// <summary>True for the default value, which stands for "no stream".</summary>
    public bool IsEmpty => Address == 0;
}

/// <summary>What a branch reads: the main stream, and where the shape says so a rotary and a value stream.</summary>
/// <param name="Main">Keys, or latents that are keys and values at once.</param>
/// <param name="Rotary">The rotary part that all groups share; empty when the shape's RotaryWidth is 0.</param>
/// <param name="Value">Values; empty when the shape says ValueInMain.</param>
/// <param name="SharedValue">The part of values that all groups share; empty when the shape's SharedValueWidth is 0.</param>
/// <param name="Ids">Ids of tokens, one value each, for a gate, or classes where the shape has classes; else empty.</param>
public readonly record struct AttendRows(
    PagedRows Main, PagedRows Rotary, PagedRows Value, PagedRows SharedValue = default, PagedRows Ids = default);
