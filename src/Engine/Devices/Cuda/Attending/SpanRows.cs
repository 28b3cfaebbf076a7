using System.Runtime.InteropServices;

namespace Serving.Devices.Cuda;

/// <summary>A page of scratch rows: positions of a run from <paramref name="Position"/> on, of which the first to the last are read (Segment in expand.cu).</summary>
[StructLayout(LayoutKind.Sequential)]
readonly record struct Segment(int Table, int Position, int First, int Last);

/// <summary>
/// Scratch memory for pages of rows that are widened or rebuilt, each kind packed: what was cached, side by side; rebuilt keys and values of all
/// heads; and where there is a gate, what gates them and the ids' rows of its embedding.
/// </summary>
readonly struct SpanRows
{
    /// <summary>Rows of a page.</summary>
    public const int PageRows = 64;

    readonly AttendRows _cached;
    readonly int _heads, _key, _value, _embedded;
    readonly nint _memory;
    readonly long _rows;

    /// <summary>The layout for an expansion, in no memory yet.</summary>
    public SpanRows(Expansion expansion, AttendRows cached)
    {
        (_cached, _heads, _key) = (cached, expansion.Keys.Stack, expansion.Keys.Outputs);
        (_value, _embedded) = (expansion.Values?.Outputs ?? 0, expansion.Gate?.Embedding.Inputs ?? 0);
    }

    SpanRows(SpanRows layout, nint memory, int pages)
    {
        this = layout;
        (_memory, _rows) = (memory, (long)pages * PageRows);
    }

    /// <summary>Bytes of a page.</summary>
    public long PageBytes => PageRows * sizeof(float) * (long)(CachedFloats + RebuiltFloats * (_embedded > 0 ? 2 : 1) + _embedded + (_embedded > 0 ? 1 : 0));

    /// <summary>Floats of what a position has cached.</summary>
    public int CachedFloats => Floats(_cached.Main) + Floats(_cached.Rotary) + Floats(_cached.Value) + Floats(_cached.SharedValue) + Floats(_cached.Ids);

    int RebuiltFloats => _heads * (_key + _value);

    /// <summary>This layout in memory for so many pages.</summary>
    public SpanRows In(nint memory, int pages) => new(this, memory, pages);

    /// <summary>What was cached: latents, the rotary row, values, the shared value, the id.</summary>
    public nint Cached => _memory;

    /// <summary>The latents of a group.</summary>
    public Tensor Latents(int group, int rows) =>
        new(Cached + group * _cached.Main.Width * sizeof(float), rows, 1, _cached.Main.Width, CachedFloats, _cached.Main.Width);

    /// <summary>Rebuilt keys.</summary>
    public Tensor Keys(int rows) => At(CachedFloats, rows, _key);

    /// <summary>Rebuilt values.</summary>
    public Tensor Values(int rows) => At(CachedFloats + _heads * _key, rows, _value);

    /// <summary>What gates the keys.</summary>
    public Tensor KeyGates(int rows) => At(CachedFloats + RebuiltFloats, rows, _key);

    /// <summary>What gates the values.</summary>
    public Tensor ValueGates(int rows) => At(CachedFloats + RebuiltFloats + _heads * _key, rows, _value);

    /// <summary>The ids' rows of the embedding.</summary>
    public Tensor Embedded(int rows) => Tensor.Matrix(Place(CachedFloats + 2L * RebuiltFloats), rows, _embedded);

    /// <summary>The ids as whole numbers.</summary>
    public nint Ids => Place(CachedFloats + 2L * RebuiltFloats + _embedded);

    /// <summary>The ids as they were cached; rows lie as in <see cref="Cached"/>.</summary>
    public nint CachedIds => Cached + (CachedFloats - 1) * sizeof(float);

    /// <summary>Keys as a stream.</summary>
    public StreamArguments MainRows => new(Keys(0).Address, _heads * _key, PageRows, _heads, _key);

    /// <summary>Rotary rows as a stream.</summary>
    public StreamArguments RotaryRows => Widened(_cached.Rotary, Floats(_cached.Main));

    /// <summary>Values as a stream, rebuilt or cached.</summary>
    public StreamArguments ValueRows => _value > 0
        ? new(Values(0).Address, _heads * _value, PageRows, _heads, _value)
        : Widened(_cached.Value, Floats(_cached.Main) + Floats(_cached.Rotary));

    /// <summary>Shared values as a stream.</summary>
    public StreamArguments SharedRows => Widened(_cached.SharedValue, Floats(_cached.Main) + Floats(_cached.Rotary) + Floats(_cached.Value));

    // Vectors of all heads, behind what takes so many floats a row.
    Tensor At(long before, int rows, int width) => new(Place(before), rows, _heads, width, _heads * width, width);

    nint Place(long before) => _memory + (nint)(before * _rows * sizeof(float));

    StreamArguments Widened(PagedRows stream, int offset) => new(Cached + offset * sizeof(float), CachedFloats, PageRows, stream.Groups, stream.Width);

    static int Floats(PagedRows stream) => stream.Groups * stream.Width;
}
