namespace Serving.Devices;

/// <summary>How a cached value is stored.</summary>
public enum CacheType
{
    /// <summary>IEEE float32.</summary>
    Float32,

    /// <summary>bfloat16, rounded to nearest even.</summary>
    BFloat16,

    /// <summary>Eight bits with four of exponent and three of fraction (e4m3), times a bfloat16 scale of its group.</summary>
    Fp8,

    /// <summary>A whole number from -127 to 127, times a bfloat16 scale of its group.</summary>
    Int8,

    /// <summary>A whole number from -7 to 7, times a float16 scale of its group.</summary>
    Int4,
}

/// <summary>
/// How a cached vector is stored: its values side by side, filled up to four bytes where they have scales, then the scales of its groups
/// of neighbouring values, two bytes each. Value 2i of four bits lies in the lower half of byte i. The only place that knows sizes.
/// </summary>
/// <param name="Type">How a value is stored.</param>
/// <param name="GroupSize">Neighbouring values that share a scale; 0 for the whole vector. The last group may be shorter.</param>
public readonly record struct RowFormat(CacheType Type, int GroupSize = 0)
{
    /// <summary>Bytes of a scale.</summary>
    public const int ScaleBytes = sizeof(ushort);

    /// <summary>
    /// The usual format of a type. Whole numbers share a scale among 32: one outlier spoils no more than them. e4m3 has an exponent of its
    /// own, so a scale for the vector is enough.
    /// </summary>
    public static implicit operator RowFormat(CacheType type) => new(type, type is CacheType.Int8 or CacheType.Int4 ? 32 : 0);

    /// <summary>Bits of a value.</summary>
    public int Bits => Type switch
    {
        CacheType.Float32 => 32,
        CacheType.BFloat16 => 16,
        CacheType.Fp8 or CacheType.Int8 => 8,
        CacheType.Int4 => 4,
        _ => throw new InvalidOperationException($"Cache type {Type} has no size."),
    };

    /// <summary>Whether values have scales.</summary>
    public bool HasScales => Type is CacheType.Fp8 or CacheType.Int8 or CacheType.Int4;

    /// <summary>The greatest size of a value before its scale; 0 where there are no scales.</summary>
    public float Greatest => Type switch { CacheType.Fp8 => Float8.Greatest, CacheType.Int8 => 127, CacheType.Int4 => 7, _ => 0 };

    /// <summary>Scales of a vector.</summary>
    public int Scales(int width) => !HasScales ? 0 : GroupSize == 0 ? 1 : (width + GroupSize - 1) / GroupSize;

    /// <summary>Values that share the scale of a value, from the first of the vector on.</summary>
    public int GroupWidth(int width) => GroupSize == 0 ? width : GroupSize;

    /// <summary>Bytes from the start of a vector to its scales, or to its end where it has none.</summary>
    public int ValueBytes(int width) => HasScales ? (width * Bits + 31) / 32 * 4 : width * Bits / 8;

    /// <summary>Bytes of a vector.</summary>
    public int VectorBytes(int width) => ValueBytes(width) + Scales(width) * ScaleBytes;

    /// <summary>For people: "int4, groups of 32".</summary>
    public override string ToString() => Type.ToString().ToLowerInvariant() + (HasScales && GroupSize > 0 ? $", groups of {GroupSize}" : "");
}
