using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Stored vectors as floats.</summary>
static unsafe class RowReading
{
    /// <summary>Whether groups are whole vector lengths, so that sixteen neighbouring values share a scale, and a shift finds it.</summary>
    public static bool IsRegular(RowFormat format) =>
        !format.HasScales || format.GroupSize == 0 || (BitOperations.IsPow2(format.GroupSize) && format.GroupSize >= Lanes.Count);

    /// <summary>By how much the index of a value is shifted to give that of its group; only of regular formats.</summary>
    public static int GroupShift(RowFormat format) => format.GroupSize == 0 ? 31 : BitOperations.Log2((uint)format.GroupSize);

    /// <summary>Writes the first <paramref name="width"/> values of a vector.</summary>
    public static void Widen(in PagedRows stream, byte* vector, int width, float* values)
    {
        switch (stream.Format.Type)
        {
            case CacheType.Float32: new ReadOnlySpan<float>(vector, width).CopyTo(new Span<float>(values, width)); break;
            case CacheType.BFloat16: Widen<BFloat16Rows>(stream, vector, width, values); break;
            case CacheType.Fp8: Widen<Float8Rows>(stream, vector, width, values); break;
            case CacheType.Int8: Widen<Int8Rows>(stream, vector, width, values); break;
            default: Widen<Int4Rows>(stream, vector, width, values); break;
        }
    }

    /// <summary>One value of a vector.</summary>
    public static float Value(in PagedRows stream, byte* vector, int index) =>
        RowCoding.Decode(stream.Format, new(vector, stream.VectorBytes), stream.Width, index);

    /// <summary>Writes the scales of a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales<TCode>(in PagedRows stream, byte* vector, float* scales) where TCode : struct, IRowCode
    {
        var stored = (short*)(vector + stream.Format.ValueBytes(stream.Width));
        var (count, i) = (stream.Format.Scales(stream.Width), 0);
        for (; i <= count - Lanes.Count; i += Lanes.Count) TCode.Scales(Lanes.Load16((byte*)(stored + i))).Store(scales + i);
        for (; i < count; i++) scales[i] = TCode.Scales(Vector512.Create((int)stored[i])).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Widen<TCode>(in PagedRows stream, byte* vector, int width, float* values) where TCode : struct, IRowCode
    {
        var i = 0;
        if (IsRegular(stream.Format))
        {
            var scales = (short*)(vector + stream.Format.ValueBytes(stream.Width));
            var shift = GroupShift(stream.Format);
            for (; i <= width - Lanes.Count; i += Lanes.Count)
            {
                var loaded = TCode.Load(vector, i);
                if (TCode.HasScales) loaded *= TCode.Scales(Vector512.Create((int)scales[i >> shift]));
                loaded.Store(values + i);
            }
        }
        for (; i < width; i++) values[i] = Value(stream, vector, i);
    }
}
