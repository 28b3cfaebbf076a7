using Serving.Devices;

namespace Serving.Model;

/// <summary>The value types a safetensors header may name: bits of a value, and the stored type where it is served.</summary>
readonly record struct SafetensorsType(string Name, int Bits, StoredType? Served = null)
{
    static readonly SafetensorsType[] Known =
    [
        new("F32", 32, StoredType.F32),
        new("F16", 16, StoredType.F16),
        new("BF16", 16, StoredType.BF16),
        new("F64", 64),
        new("I64", 64),
        new("I32", 32),
        new("I16", 16),
        new("I8", 8),
        new("U64", 64),
        new("U32", 32),
        new("U16", 16),
        new("U8", 8),
        new("BOOL", 8),
        new("F8_E4M3", 8),
        new("F8_E5M2", 8),
        new("F8_E8M0", 8),
        new("F4", 4),
        new("C64", 64),
    ];

    /// <summary>The types that weights may have, for messages.</summary>
    public static string ServedNames { get; } = string.Join(", ", Known.Where(type => type.Served is not null).Select(type => type.Name));

    /// <summary>The type of a name, or null.</summary>
    public static SafetensorsType? Find(string name) =>
        Array.FindIndex(Known, type => type.Name == name) is >= 0 and var at ? Known[at] : null;

    /// <summary>All names, for messages.</summary>
    public static string AllNames => string.Join(", ", Known.Select(type => type.Name));
}
