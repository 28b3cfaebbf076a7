using System.Diagnostics.CodeAnalysis;

namespace Serving.Devices;

/// <summary>How the values of a weight lie in a file; block formats are those of ggml.</summary>
[SuppressMessage("Naming", "CA1707", Justification = "The formats are published under these names.")]
public enum StoredType
{
    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>The upper half of a single.</summary>
    BF16,

    /// <summary>32 signed bytes and a half-precision scale.</summary>
    Q8_0,

    /// <summary>32 nibbles around 8 and a half-precision scale.</summary>
    Q4_0,

    /// <summary>32 nibbles, a half-precision scale and a minimum.</summary>
    Q4_1,

    /// <summary>32 values of 5 bits around 16 and a half-precision scale.</summary>
    Q5_0,

    /// <summary>32 values of 5 bits, a half-precision scale and a minimum.</summary>
    Q5_1,

    /// <summary>256 nibbles in 8 groups, each with a 6-bit scale and minimum.</summary>
    Q4K,

    /// <summary>256 values of 5 bits in 8 groups, each with a 6-bit scale and minimum.</summary>
    Q5K,

    /// <summary>256 values of 6 bits around 32 in 16 groups, each with an 8-bit scale.</summary>
    Q6K,

    /// <summary>A power of two as its exponent, and 32 values of 4 bits (OCP MX v1.0: E8M0 and E2M1).</summary>
    MxFp4,

    /// <summary>A single-precision scale and 128 values of 8 bits with 4 of exponent (OCP OFP8: E4M3).</summary>
    F8,
}

/// <summary>The facts of each <see cref="StoredType"/>: values and bytes of a block, and the name people know it by.</summary>
public static class StoredTypes
{
    static readonly (string Name, int Values, int Bytes)[] Table =
    [
        ("F32", 1, 4),
        ("F16", 1, 2),
        ("BF16", 1, 2),
        ("Q8_0", 32, 2 + 32),
        ("Q4_0", 32, 2 + 16),
        ("Q4_1", 32, 4 + 16),
        ("Q5_0", 32, 2 + 4 + 16),
        ("Q5_1", 32, 4 + 4 + 16),
        ("Q4_K", 256, 4 + 12 + 128),
        ("Q5_K", 256, 4 + 12 + 32 + 128),
        ("Q6_K", 256, 128 + 64 + 16 + 2),
        ("MXFP4", 32, 1 + 16),
        ("F8_E4M3", 128, 4 + 128),
    ];

    /// <summary>The names of all types, for messages that list what is served.</summary>
    public static string All { get; } = string.Join(", ", Table.Select(entry => entry.Name));

    /// <summary>The published name, as in "Q4_K".</summary>
    public static string Name(this StoredType type) => Table[(int)type].Name;

    /// <summary>How many values share a block; 1 where each value stands alone.</summary>
    public static int BlockValues(this StoredType type) => Table[(int)type].Values;

    /// <summary>How many bytes a block takes.</summary>
    public static int BlockBytes(this StoredType type) => Table[(int)type].Bytes;

    /// <summary>Bytes of <paramref name="values"/> values in a row; throws if they do not fill whole blocks.</summary>
    public static long BytesOf(this StoredType type, long values) => values % type.BlockValues() == 0
        ? checked(values / type.BlockValues() * type.BlockBytes())
        : throw new ArgumentException($"{values} values do not fill whole {type.Name()} blocks of {type.BlockValues()}.");
}
