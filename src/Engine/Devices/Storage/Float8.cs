namespace Serving.Devices;

/// <summary>
/// Eight-bit floats with four bits of exponent (bias 7) and three of fraction, no infinities (e4m3 of the OCP 8-bit floating point
/// specification, section 5): the one place that says how a value is rounded to them.
/// </summary>
public static class Float8
{
    /// <summary>The greatest number.</summary>
    public const float Greatest = 448;

    /// <summary>The nearest number, ties to even; what is greater than the greatest becomes the greatest.</summary>
    public static byte Round(float value)
    {
        var sign = BitConverter.SingleToUInt32Bits(value) >> 24 & 0x80;
        var size = MathF.Min(MathF.Abs(value), Greatest);
        // 2^20 times the power of two below the value, but at least that of the least normal number: adding it rounds to three bits.
        var step = BitConverter.UInt32BitsToSingle(Math.Max(BitConverter.SingleToUInt32Bits(size) & 0x7f800000, 121u << 23) + (20u << 23));
        var rounded = size + step - step;
        var code = rounded < 1f / 64 ? (uint)(rounded * 512) : (BitConverter.SingleToUInt32Bits(rounded) >> 20) - (120 << 3);
        return (byte)(sign | code);
    }

    /// <summary>The value of a code, exactly; the code of no number is read as 480.</summary>
    public static float Widen(byte code)
    {
        var placed = BitConverter.UInt32BitsToSingle((code & 0x80u) << 24 | (code & 0x7fu) << 20);
        return placed * 1.329227995784916e36f; // 2^120 mends the bias and makes subnormals normal.
    }
}
