namespace Serving.Devices.Reference;

/// <summary>Views of tensors whose memory is the host's.</summary>
static unsafe class HostTensor
{
    /// <summary>Vector <paramref name="head"/> of row <paramref name="row"/>.</summary>
    public static Span<float> Vector(this Tensor tensor, int row, int head) =>
        new((float*)tensor.Address + (long)row * tensor.RowStride + (long)head * tensor.HeadStride, tensor.Width);

    /// <summary>Value <paramref name="column"/> of row <paramref name="row"/>, counted over the row's vectors.</summary>
    public static ref float At(this Tensor tensor, int row, int column) =>
        ref tensor.Vector(row, column / tensor.Width)[column % tensor.Width];

    /// <summary>A copy of a row, its vectors side by side.</summary>
    public static float[] Row(this Tensor tensor, int row)
    {
        var values = new float[tensor.Columns];
        for (var head = 0; head < tensor.Heads; head++)
            tensor.Vector(row, head).CopyTo(values.AsSpan(head * tensor.Width));
        return values;
    }

    /// <summary>Overwrites a row, its vectors taken from <paramref name="values"/> in order.</summary>
    public static void SetRow(this Tensor tensor, int row, ReadOnlySpan<float> values)
    {
        for (var head = 0; head < tensor.Heads; head++)
            values.Slice(head * tensor.Width, tensor.Width).CopyTo(tensor.Vector(row, head));
    }

    /// <summary>The expert ids of a routed step, row after row.</summary>
    public static Span<int> Ids(this RoutedExperts routed) => new((void*)routed.Experts, routed.Weights.Rows * routed.Weights.Width);

    /// <summary>The stored bytes of one page.</summary>
    public static Span<byte> Page(this PagedRows stream, int page) =>
        new((byte*)stream.Address + page * stream.PageBytes, stream.RowsPerPage * stream.Groups * stream.VectorBytes);

    /// <summary>The stored bytes of a vector as a row of the step has left it.</summary>
    public static Span<byte> OpenVector(this PagedRows stream, int row, int group) =>
        new((byte*)stream.Open + ((long)row * stream.Groups + group) * stream.VectorBytes, stream.VectorBytes);

    /// <summary>The stored bytes of one vector: a page holds its rows in order, a row its groups in order.</summary>
    public static Span<byte> Vector(this PagedRows stream, int page, int row, int group) =>
        stream.Page(page).Slice((row * stream.Groups + group) * stream.VectorBytes, stream.VectorBytes);

    /// <summary>Value <paramref name="index"/> of a stored vector.</summary>
    public static float Value(this PagedRows stream, ReadOnlySpan<byte> vector, int index) =>
        RowCoding.Decode(stream.Format, vector, stream.Width, index);

    /// <summary>Stores a vector.</summary>
    public static void Store(this PagedRows stream, ReadOnlySpan<float> values, Span<byte> vector) => RowCoding.Encode(stream.Format, values, vector);
}
