using Serving.Devices;

namespace Serving.Model;

/// <summary>The numbers under which GGUF files store tensor types: those served, and the names of the others for messages.</summary>
static class GgmlTypes
{
    static readonly Dictionary<uint, StoredType> Served = new()
    {
        [0] = StoredType.F32,
        [1] = StoredType.F16,
        [2] = StoredType.Q4_0,
        [3] = StoredType.Q4_1,
        [6] = StoredType.Q5_0,
        [7] = StoredType.Q5_1,
        [8] = StoredType.Q8_0,
        [12] = StoredType.Q4K,
        [13] = StoredType.Q5K,
        [14] = StoredType.Q6K,
        [30] = StoredType.BF16,
        [39] = StoredType.MxFp4,
    };

    static readonly Dictionary<uint, string> Known = new()
    {
        [9] = "Q8_1",
        [10] = "Q2_K",
        [11] = "Q3_K",
        [15] = "Q8_K",
        [16] = "IQ2_XXS",
        [17] = "IQ2_XS",
        [18] = "IQ3_XXS",
        [19] = "IQ1_S",
        [20] = "IQ4_NL",
        [21] = "IQ3_S",
        [22] = "IQ2_S",
        [23] = "IQ4_XS",
        [24] = "I8",
        [25] = "I16",
        [26] = "I32",
        [27] = "I64",
        [28] = "F64",
        [29] = "IQ1_M",
        [34] = "TQ1_0",
        [35] = "TQ2_0",
        [40] = "NVFP4",
    };

    /// <summary>The names of the types that are served, for messages.</summary>
    public static string ServedNames { get; } = string.Join(", ", Served.Values.Select(type => type.Name()));

    public static StoredType? Find(uint number) => Served.TryGetValue(number, out var type) ? type : null;

    public static string Describe(uint number) => Known.TryGetValue(number, out var name)
        ? $"{name} ({number})"
        : $"{number}, which is unknown";
}
