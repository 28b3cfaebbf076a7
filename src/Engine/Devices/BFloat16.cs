namespace Serving.Devices;

/// <summary>The upper half of a single: the one place that says how a value is rounded to it.</summary>
public static class BFloat16
{
    /// <summary>The nearest bfloat16, ties to even; overflow goes to infinity and NaN stays NaN.</summary>
    public static ushort Round(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value)
            ? (ushort)(bits >> 16 | 0x40)
            : (ushort)(bits + 0x7FFF + (bits >> 16 & 1) >> 16);
    }

    /// <summary>The value of a bfloat16, exactly.</summary>
    public static float Widen(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
}
