using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Devices.Cpu;

/// <summary>Functions of sixteen values at once, whose bits are the same on every machine that fuses multiply-adds.</summary>
static class Lanes
{
    /// <summary>Values in a vector.</summary>
    public const int Count = 16;

    /// <summary>e^x within 2e-7 of the value: 1 at 0, 0 below -87.3, infinity above 88.7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        var bounded = Vector512.MinNative(Vector512.MaxNative(x, Vector512.Create(-87.3f)), Vector512.Create(88.7f));
        // n = round(x / ln 2) by the float's own rounding; the rest is within half of ln 2, taken off in two exact steps.
        var magic = Vector512.Create(12582912f);
        var shifted = Vector512.MultiplyAddEstimate(bounded, Vector512.Create(1.44269504f), magic);
        var n = shifted - magic;
        var rest = Vector512.MultiplyAddEstimate(n, Vector512.Create(-0.693145752f), bounded);
        rest = Vector512.MultiplyAddEstimate(n, Vector512.Create(-1.42860677e-6f), rest);
        var sum = Vector512.Create(1f / 5040);
        sum = Vector512.MultiplyAddEstimate(sum, rest, Vector512.Create(1f / 720));
        sum = Vector512.MultiplyAddEstimate(sum, rest, Vector512.Create(1f / 120));
        sum = Vector512.MultiplyAddEstimate(sum, rest, Vector512.Create(1f / 24));
        sum = Vector512.MultiplyAddEstimate(sum, rest, Vector512.Create(1f / 6));
        sum = Vector512.MultiplyAddEstimate(sum, rest, Vector512.Create(0.5f));
        sum = Vector512.MultiplyAddEstimate(sum, rest, Vector512<float>.One);
        sum = Vector512.MultiplyAddEstimate(sum, rest, Vector512<float>.One);
        var value = Avx512F.IsSupported ? Avx512F.Scale(sum, n) : TimesPowerOfTwo(sum, Vector512.ConvertToInt32(n));
        var (low, high) = (Vector512.LessThan(x, Vector512.Create(-87.3f)), Vector512.GreaterThan(x, Vector512.Create(88.7f)));
        value = Vector512.ConditionalSelect(low, Vector512<float>.Zero, value);
        value = Vector512.ConditionalSelect(high, Vector512.Create(float.PositiveInfinity), value);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x), value, x);
    }

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sigmoid(Vector512<float> x) => Vector512<float>.One / (Vector512<float>.One + Exp(-x));

    /// <summary>tanh x within 2e-7 absolute.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Tanh(Vector512<float> x)
    {
        var decay = Exp(Vector512.Abs(x) * -2f);
        var size = (Vector512<float>.One - decay) / (Vector512<float>.One + decay);
        return Vector512.CopySign(size, x);
    }

    /// <summary>The sum of the lanes, as a tree of halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> x)
    {
        var quarter = x.GetLower() + x.GetUpper();
        var eighth = quarter.GetLower() + quarter.GetUpper();
        return eighth[0] + eighth[2] + (eighth[1] + eighth[3]);
    }

    /// <summary>The greatest lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Vector512<float> x)
    {
        var quarter = Vector256.MaxNative(x.GetLower(), x.GetUpper());
        var eighth = Vector128.MaxNative(quarter.GetLower(), quarter.GetUpper());
        var pair = Vector128.MaxNative(eighth, Vector128.Shuffle(eighth, Vector128.Create(2, 3, 0, 1)));
        return MathF.Max(pair[0], pair[1]);
    }

    /// <summary>Half-precision bits, sign-extended to the lane, widened exactly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> FromHalf(Vector512<int> bits)
    {
        // Sign, exponent and fraction move to the float's places; the factor 2^112 mends the bias and makes subnormals normal.
        var placed = (Vector512.ShiftLeft(bits, 13) & Vector512.Create(unchecked((int)0x8fffe000))).AsSingle();
        var special = Vector512.Equals(placed.AsInt32() & Vector512.Create(0x0f800000), Vector512.Create(0x0f800000));
        return Vector512.ConditionalSelect(
            special.AsSingle(), (placed.AsInt32() | Vector512.Create(0x7f800000)).AsSingle(), placed * 5.192296858534828e33f);
    }

    /// <summary>Sixteen 16-bit values, sign-extended into the lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector512<int> Load16(byte* source)
    {
        var values = Vector256.Load((short*)source);
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector512Int32(values);
        var (low, high) = Vector256.Widen(values);
        return Vector512.Create(low, high);
    }

    /// <summary>Sixteen bytes, sign-extended into the lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector512<int> Load8(byte* source)
    {
        var values = Vector128.Load((sbyte*)source);
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector512Int32(values);
        var (low, high) = Vector128.Widen(values);
        return Vector512.Create(
            Vector256.Create(Vector128.WidenLower(low), Vector128.WidenUpper(low)),
            Vector256.Create(Vector128.WidenLower(high), Vector128.WidenUpper(high)));
    }

    // Two factors, since 2^128 alone is no float; the results are normal, so both products are exact.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> TimesPowerOfTwo(Vector512<float> value, Vector512<int> n)
    {
        var half = Vector512.ShiftRightArithmetic(n, 1);
        return value * PowerOfTwo(half) * PowerOfTwo(n - half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> PowerOfTwo(Vector512<int> n) => Vector512.ShiftLeft(n + Vector512.Create(127), 23).AsSingle();
}
