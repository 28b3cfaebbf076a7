namespace Serving.Devices.Cuda;

/// <summary>What attention on tensor cores can read, and the shared memory that it takes (attend_tensor.cu).</summary>
static class TensorShared
{
    const int MostValues = 512;
    const int CopyBytes = 16, CopyValues = CopyBytes / sizeof(ushort);
    const int Step = 32, Pad = 8, Stages = 2, Warps = 8;

    /// <summary>
    /// Whether the kernels are legal: rows of bfloat16, or with scales, that are copied 16 bytes at a time, keys that do not turn, rows of one token
    /// and no class, and outputs of at most 512 values.
    /// </summary>
    public static bool IsLegal(AttendShape shape, ScoreRule rule, AttendRows cached) =>
        rule.Turn.IsEmpty && shape.Classes == 0 && !cached.Main.IsStrided && shape.OutputWidth <= MostValues
        && IsCopied(cached.Main, Held(shape))
        && (shape.RotaryWidth == 0 || IsCopied(cached.Rotary, shape.RotaryWidth))
        && (shape.ValueInMain || IsCopied(cached.Value, shape.ValueWidth))
        && (shape.SharedValueWidth == 0 || IsCopied(cached.SharedValue, shape.SharedValueWidth))
        // Scores take whole steps of what is read beside them.
        && (Held(shape) == shape.MainWidth || shape.MainWidth % Step == 0);

    /// <summary>Whether any rows have scales, so that all are widened between copying and reading.</summary>
    public static bool Widens(AttendShape shape, AttendRows cached) =>
        cached.Main.Format.HasScales || (shape.RotaryWidth > 0 && cached.Rotary.Format.HasScales)
        || (!shape.ValueInMain && cached.Value.Format.HasScales) || (shape.SharedValueWidth > 0 && cached.SharedValue.Format.HasScales);

    /// <summary>Bytes that a block takes for so many queries.</summary>
    public static int Bytes(AttendShape shape, AttendRows cached, int queries, TensorTerms terms)
    {
        var keys = shape.OutputWidth > 256 ? 32 : 64;
        var keyPitch = Whole(Held(shape), Step) + Whole(shape.RotaryWidth, Step) + Pad;
        var valuePitch = shape.ValueInMain ? 0 : Whole(shape.OutputWidth, 2 * CopyValues) + Pad;
        var values = terms.Query * queries * keyPitch + Stages * keys * (keyPitch + valuePitch) + terms.Weight * queries * (keys + Pad);
        return values * sizeof(ushort) + (Widens(shape, cached) ? Stages * keys * Stored(shape, cached) : 0) + (Warps + 3) * queries * sizeof(float);
    }

    // Values of a main row that are read, as keys or as values.
    static int Held(AttendShape shape) => shape.ValueInMain ? Math.Max(shape.MainWidth, shape.ValueWidth) : shape.MainWidth;

    static int Stored(AttendShape shape, AttendRows cached) =>
        Stored(cached.Main, Held(shape)) + Stored(cached.Rotary, shape.RotaryWidth)
        + (shape.ValueInMain ? 0 : Stored(cached.Value, shape.ValueWidth) + Stored(cached.SharedValue, shape.SharedValueWidth));

    static int Stored(PagedRows stream, int width) => width == 0 ? 0 : width * stream.Format.Bits / 8;

    static bool IsCopied(PagedRows stream, int width) =>
        stream.Format.Type != CacheType.Float32 && width * stream.Format.Bits % (8 * CopyBytes) == 0
        && stream.Format.ValueBytes(stream.Width) % CopyBytes == 0 && stream.Format.GroupWidth(stream.Width) % 2 == 0
        && stream.Address % CopyBytes == 0 && stream.PageBytes % CopyBytes == 0;

    static int Whole(int width, int step) => (width + step - 1) / step * step;
}

/// <summary>How many bfloat16 make a number on tensor cores.</summary>
/// <param name="Query">Terms of a query: 1, or 3 for all bits of a float32.</param>
/// <param name="Weight">Terms of a weight: 1, or 2, which are off by 2^-17 of it.</param>
/// <param name="Row">Terms of a value of a row with scales: 1, or 2, which are all of it.</param>
readonly record struct TensorTerms(int Query, int Weight, int Row)
{
    /// <summary>What a rounding of inputs allows.</summary>
    public static TensorTerms Of(ActivationType activations) => activations == ActivationType.BFloat16 ? new(1, 1, 1) : new(3, 2, 2);
}
