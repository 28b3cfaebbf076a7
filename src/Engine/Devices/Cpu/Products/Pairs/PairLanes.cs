using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Ints = System.Runtime.Intrinsics.Vector512<int>;
using Shorts = System.Runtime.Intrinsics.Vector512<short>;

namespace Serving.Devices.Cpu;

/// <summary>Products of whole numbers with what every .NET machine has; see <see cref="PairKernel"/>.</summary>
static unsafe class PairLanes
{
    /// <summary>Adds the products of 1 to 12 rows to their totals.</summary>
    public static void Run(PairShape shape, int rows, int* x, float* scales, byte* panel, int blocks, float* totals, float* sums)
    {
        for (var row = 0; row < rows; row += 4)
        {
            var count = Math.Min(4, rows - row);
            for (var block = 0; block < blocks; block++)
            {
                var at = (long)block * rows + row;
                var inputs = x + at * (shape.RowBytes / 4);
                var words = panel + (long)block * shape.BlockBytes;
                var to = totals + row * PanelSize.Outputs;
                switch (count)
                {
                    case 1: Block<Rows1>(shape, inputs, scales + at, words, to, sums + at); break;
                    case 2: Block<Rows2>(shape, inputs, scales + at, words, to, sums + at); break;
                    case 3: Block<Rows3>(shape, inputs, scales + at, words, to, sums + at); break;
                    default: Block<Rows4>(shape, inputs, scales + at, words, to, sums + at); break;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Block<TRows>(PairShape shape, int* x, float* scales, byte* block, float* totals, float* sums) where TRows : struct, IRows
    {
        Ints a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        // Bytes are taken in two halves: the even ones of each lane as a pair of 16-bit integers, then the odd ones.
        var (row, halves) = (shape.RowBytes / 4, shape.InputBits == 8 ? 2 : 1);
        for (var word = 0; word < shape.Words; word++)
        {
            var (first, second) = (Vector512.Load((uint*)(block + word * 128)), Vector512.Load((uint*)(block + word * 128 + 64)));
            for (var group = 0; group < shape.GroupsOfWord; group++, x++)
                for (var half = 0; half < halves; half++)
                {
                    var (w0, w1) = (Unpack(shape, first, group, half), Unpack(shape, second, group, half));
                    Step(Value(x, shape, half), w0, w1, ref a0, ref b0);
                    if (TRows.Count > 1) Step(Value(x + row, shape, half), w0, w1, ref a1, ref b1);
                    if (TRows.Count > 2) Step(Value(x + 2 * row, shape, half), w0, w1, ref a2, ref b2);
                    if (TRows.Count > 3) Step(Value(x + 3 * row, shape, half), w0, w1, ref a3, ref b3);
                }
        }
        Halves.Load(block + shape.ScaleAt, out var s0, out var s1);
        Vector512<float> m0 = default, m1 = default;
        if (shape.HasMinimum) Halves.Load(block + shape.ScaleAt + 64, out m0, out m1);
        var sum = shape.HasMinimum ? sums : null;
        Fold(totals, a0, b0, scales, s0, s1, m0, m1, sum);
        if (TRows.Count > 1) Fold(totals + 32, a1, b1, scales + 1, s0, s1, m0, m1, sum is null ? null : sum + 1);
        if (TRows.Count > 2) Fold(totals + 64, a2, b2, scales + 2, s0, s1, m0, m1, sum is null ? null : sum + 2);
        if (TRows.Count > 3) Fold(totals + 96, a3, b3, scales + 3, s0, s1, m0, m1, sum is null ? null : sum + 3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Shorts Unpack(PairShape shape, Vector512<uint> words, int group, int half)
    {
        if (shape.Bits == 4)
            return (Vector512.ShiftRightLogical(words, 4 * group + 8 * half) & Vector512.Create(0x000f000fu)).AsInt16() - Vector512.Create((short)shape.Offset);
        var shorts = words.AsInt16();
        var isOdd = shape.InputBits == 8 ? half == 1 : group == 0;
        return Vector512.ShiftRightArithmetic(isOdd ? shorts : Vector512.ShiftLeft(shorts, 8), 8);
    }

    // What the lanes of the inputs are multiplied by.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Shorts Value(int* x, PairShape shape, int half)
    {
        var shorts = Vector512.Create(*x).AsInt16();
        return shape.InputBits == 16 ? shorts : Vector512.ShiftRightArithmetic(half == 1 ? shorts : Vector512.ShiftLeft(shorts, 8), 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Step(Shorts value, Shorts w0, Shorts w1, ref Ints a, ref Ints b) => (a, b) = (a + Multiply(w0, value), b + Multiply(w1, value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Ints Multiply(Shorts a, Shorts b)
    {
        if (Avx512BW.IsSupported) return Avx512BW.MultiplyAddAdjacent(a, b);
        if (Avx2.IsSupported)
            return Vector512.Create(
                Avx2.MultiplyAddAdjacent(a.GetLower(), b.GetLower()), Avx2.MultiplyAddAdjacent(a.GetUpper(), b.GetUpper()));
        var (x, y) = (a.AsInt32(), b.AsInt32());
        var low = Vector512.ShiftRightArithmetic(Vector512.ShiftLeft(x, 16), 16) * Vector512.ShiftRightArithmetic(Vector512.ShiftLeft(y, 16), 16);
        return low + Vector512.ShiftRightArithmetic(x, 16) * Vector512.ShiftRightArithmetic(y, 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Fold(
        float* total, Ints a, Ints b, float* scale, Vector512<float> s0, Vector512<float> s1, Vector512<float> m0, Vector512<float> m1, float* sum)
    {
        var factor = Vector512.Create(*scale);
        var t0 = Vector512.MultiplyAddEstimate(Vector512.ConvertToSingle(a) * factor, s0, Vector512.Load(total));
        var t1 = Vector512.MultiplyAddEstimate(Vector512.ConvertToSingle(b) * factor, s1, Vector512.Load(total + 16));
        if (sum is not null)
        {
            var value = Vector512.Create(*sum);
            (t0, t1) = (Vector512.MultiplyAddEstimate(m0, value, t0), Vector512.MultiplyAddEstimate(m1, value, t1));
        }
        t0.Store(total);
        t1.Store(total + 16);
    }
}
