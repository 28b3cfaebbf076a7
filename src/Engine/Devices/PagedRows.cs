namespace Serving.Devices;

/// <summary>
/// One cached stream of one layer: a region of equal pages. How rows lie inside a page is the device's own affair;
/// a page takes <c>RowsPerPage * Groups</c> vectors of <paramref name="Format"/>.
/// </summary>
/// <param name="Address">Address of page 0.</param>
/// <param name="PageBytes">Bytes from one page to the next.</param>
/// <param name="RowsPerPage">Token rows in a page.</param>
/// <param name="Groups">Vectors that a token leaves.</param>
/// <param name="Width">Values of a vector.</param>
/// <param name="Format">How a vector is stored.</param>
public readonly record struct PagedRows(nint Address, long PageBytes, int RowsPerPage, int Groups, int Width, RowFormat Format)
{
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
/// <param name="Ids">Ids of tokens, one value each, for a gate; else empty.</param>
public readonly record struct AttendRows(
    PagedRows Main, PagedRows Rotary, PagedRows Value, PagedRows SharedValue = default, PagedRows Ids = default);
