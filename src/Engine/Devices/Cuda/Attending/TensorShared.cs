namespace Serving.Devices.Cuda;

/// <summary>What attention on tensor cores can read, and the shared memory that it takes (attend_tensor.cu).</summary>
static class TensorShared
{
    const int MostValues = 512;
    const int CopyBytes = 16, CopyValues = CopyBytes / sizeof(ushort);
    const int Step = 32, Pad = 8, Stages = 2, Warps = 8;

    /// <summary>
    /// Whether the kernels are legal: rows of bfloat16 that are copied 16 bytes at a time, keys that do not turn, rows of one token and no class, and outputs of
    /// at most 512 values.
    /// </summary>
    public static bool IsLegal(AttendShape shape, ScoreRule rule, AttendRows cached) =>
        rule.Turn.IsEmpty && shape.Classes == 0 && !cached.Main.IsStrided && shape.OutputWidth <= MostValues
        && IsCopied(cached.Main, shape.MainWidth)
        && (shape.RotaryWidth == 0 || IsCopied(cached.Rotary, shape.RotaryWidth))
        && IsCopied(shape.ValueInMain ? cached.Main : cached.Value, shape.ValueWidth)
        && (shape.SharedValueWidth == 0 || IsCopied(cached.SharedValue, shape.SharedValueWidth))
        // Scores take whole steps of what is read beside them.
        && (!shape.ValueInMain || shape.ValueWidth <= shape.MainWidth || shape.MainWidth % Step == 0);

    /// <summary>Bytes that a block takes for so many queries.</summary>
    public static int Bytes(AttendShape shape, int queries, TensorTerms terms)
    {
        var keys = shape.OutputWidth > 256 ? 32 : 64;
        var held = shape.ValueInMain ? Math.Max(shape.MainWidth, shape.ValueWidth) : shape.MainWidth;
        var keyPitch = Whole(held, Step) + Whole(shape.RotaryWidth, Step) + Pad;
        var valuePitch = shape.ValueInMain ? 0 : Whole(shape.OutputWidth, 2 * CopyValues) + Pad;
        var values = terms.Query * queries * keyPitch + Stages * keys * (keyPitch + valuePitch) + terms.Weight * queries * (keys + Pad);
        return values * sizeof(ushort) + (Warps + 3) * queries * sizeof(float);
    }

    static bool IsCopied(PagedRows stream, int width) =>
        stream.Format.Type == CacheType.BFloat16 && width % CopyValues == 0 && stream.VectorBytes % CopyBytes == 0
        && stream.Address % CopyBytes == 0 && stream.PageBytes % CopyBytes == 0;

    static int Whole(int width, int step) => (width + step - 1) / step * step;
}

/// <summary>How many bfloat16 make a query and a weight on tensor cores.</summary>
/// <param name="Query">Terms of a query: 1, or 3 for all bits of a float32.</param>
/// <param name="Weight">Terms of a weight: 1, or 2, which are off by 2^-17 of it.</param>
readonly record struct TensorTerms(int Query, int Weight)
{
    /// <summary>What a rounding of inputs allows.</summary>
    public static TensorTerms Of(ActivationType activations) => activations == ActivationType.BFloat16 ? new(1, 1) : new(3, 2);
}
