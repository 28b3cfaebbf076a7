namespace Serving.Devices;

/// <summary>How a cached value is stored.</summary>
public enum CacheType
{
    /// <summary>IEEE float32.</summary>
    Float32,

    /// <summary>bfloat16, rounded to nearest even.</summary>
    BFloat16,
}

/// <summary>
/// One cached stream of one layer: a region of equal pages. How rows lie inside a page is the device's own affair;
/// a page takes <c>RowsPerPage * Groups * Width</c> values of <paramref name="Type"/>.
/// </summary>
/// <param name="Address">Address of page 0.</param>
/// <param name="PageBytes">Bytes from one page to the next.</param>
/// <param name="RowsPerPage">Token rows in a page.</param>
/// <param name="Groups">Vectors that a token leaves.</param>
/// <param name="Width">Values of a vector.</param>
/// <param name="Type">How a value is stored.</param>
public readonly record struct PagedRows(nint Address, long PageBytes, int RowsPerPage, int Groups, int Width, CacheType Type)
{
    /// <summary>True for the default value, which stands for "no stream".</summary>
    public bool IsEmpty => Address == 0;
}

/// <summary>What a branch reads: the main stream, and where the shape says so a rotary and a value stream.</summary>
/// <param name="Main">Keys, or latents that are keys and values at once.</param>
/// <param name="Rotary">The rotary part that all groups share; empty when the shape's RotaryWidth is 0.</param>
/// <param name="Value">Values; empty when the shape says ValueInMain.</param>
public readonly record struct AttendRows(PagedRows Main, PagedRows Rotary, PagedRows Value);
