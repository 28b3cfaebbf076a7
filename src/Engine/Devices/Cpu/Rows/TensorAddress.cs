namespace Serving.Devices.Cpu;

/// <summary>Where the vectors of a tensor lie.</summary>
static unsafe class TensorAddress
{
    /// <summary>The first value of a row's vector.</summary>
    public static float* At(this in Tensor tensor, int row, int head = 0) =>
        (float*)tensor.Address + (long)row * tensor.RowStride + (long)head * tensor.HeadStride;

    /// <summary>True when a row is one run of values.</summary>
    public static bool IsPacked(this in Tensor tensor) => tensor.Heads == 1 || tensor.HeadStride == tensor.Width;

    /// <summary>Writes zeros to a row.</summary>
    public static void ClearRow(in Tensor tensor, int row)
    {
        for (var head = 0; head < tensor.Heads; head++) new Span<float>(tensor.At(row, head), tensor.Width).Clear();
    }

    /// <summary>Copies a row whose destination may be cut into other vectors, or be wider: what is left is zero.</summary>
    public static void CopyRow(in Tensor source, int from, in Tensor destination, int to)
    {
        if (source.Columns == destination.Columns && source.IsPacked() && destination.IsPacked())
        {
            new ReadOnlySpan<float>(source.At(from), source.Columns).CopyTo(new Span<float>(destination.At(to), source.Columns));
            return;
        }
        for (var column = 0; column < destination.Columns; column++)
            destination.At(to, column / destination.Width)[column % destination.Width] =
                column < source.Columns ? source.At(from, column / source.Width)[column % source.Width] : 0;
    }
}
