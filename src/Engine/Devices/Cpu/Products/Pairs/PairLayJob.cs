using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Rounds rows and lays them out as a kernel reads them, [row block][block][row][32], with their scales and sums [row block][block][row].</summary>
unsafe struct PairLayJob : IJob, IRowLayer
{
    const float Least = 1e-30f;

    // The order of bytes beside weights of 8 bits, whose words begin with the last, and of 4 bits, by nibbles of the same half.
    static readonly Vector256<byte> Eight = Vector256.Create((byte)3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18, 17, 16, 23, 22, 21, 20, 27, 26, 25, 24, 31, 30, 29, 28);
    static readonly Vector256<byte> Four = Vector256.Create((byte)0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15, 16, 18, 20, 22, 17, 19, 21, 23, 24, 26, 28, 30, 25, 27, 29, 31);

    public LaidRows Rows;
    public byte* X;
    public float* Scales, Sums;
    public PairKernel Kernel;

    public readonly void Run(int part, int worker) => Rows.Lay(this, part);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Lay(int first, int rows, int row)
    {
        var source = (float*)Rows.Sources[first + row];
        var values = stackalloc float[PanelSize.Block];
        var rounded = stackalloc int[PanelSize.Block];
        for (var block = 0; block < Rows.Blocks; block++)
        {
            var at = (long)first * Rows.Blocks + (long)block * rows + row;
            var here = source + block * PanelSize.Block;
            if (!Rows.IsWhole(block))
            {
                Rows.Copy(source, block, values);
                here = values;
            }
            var place = X + at * Kernel.RowBytes;
            if (Kernel.IsBFloat16) Halve(here, (ushort*)place);
            else (Scales[at], Sums[at]) = Round(here, rounded, place);
        }
    }

    // Returns the scale of the block, and the sum of what the rounded values stand for or what the offset of byte weights comes to.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    readonly (float Scale, float Sum) Round(float* values, int* rounded, byte* to)
    {
        var shape = Kernel.Shape;
        float largest = shape.InputBits == 8 ? sbyte.MaxValue : short.MaxValue;
        var (a, b) = (Vector512.Load(values), Vector512.Load(values + 16));
        var greatest = Vector512.Max(Vector512.Abs(a), Vector512.Abs(b));
        var most = Lanes.Max(greatest);
        // What is no number stays none; a block too small for a scale is zero.
        if (!Vector512.EqualsAll(greatest, greatest)) most = float.NaN;
        var factor = most < Least ? 0 : largest / most;
        var (q, r) = (Integers(a * factor), Integers(b * factor));
        var (scale, sum) = (most < Least ? 0 : most / largest, Vector512.Sum(q + r));
        if (shape.InputBits == 8)
        {
            var bytes = Vector512.Narrow(Vector512.Narrow(q, r), Vector512<short>.Zero).GetLower().AsByte();
            Vector256.Shuffle(bytes, shape.Bits == 8 ? Eight : Four).Store(to);
            if (!shape.HasMinimum) return (scale, BitConverter.Int32BitsToSingle(-shape.ByteOffset * sum));
        }
        else
        {
            q.Store(rounded);
            r.Store(rounded + 16);
            Pair(rounded, (ulong*)to);
        }
        return (scale, sum * scale);
    }

    // Beside weights of 8 bits the later input of a pair is its low half.
    readonly void Pair(int* rounded, ulong* to)
    {
        var stride = Kernel.Shape.GroupsOfWord;
        var low = Kernel.Shape.Bits == 8 ? stride : 0;
        for (var group = 0; group < PanelSize.Block; group += 2 * stride)
            for (var i = 0; i < stride; i += 2, to++)
            {
                var (x, y) = (*(ulong*)(rounded + group + low + i), *(ulong*)(rounded + group + stride - low + i));
                *to = x & 0x0000ffff0000ffff | y << 16 & 0xffff0000ffff0000;
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<int> Integers(Vector512<float> values) => Vector512.ConvertToInt32Native(Vector512.Round(values));

    static void Halve(float* values, ushort* halves)
    {
        for (var i = 0; i < PanelSize.Block; i += 16)
        {
            // To the nearest, to even; what is no number stays none by its upper bits.
            var bits = Vector512.Load((uint*)values + i);
            var up = bits + Vector512.Create(0x7fffu) + (Vector512.ShiftRightLogical(bits, 16) & Vector512<uint>.One);
            var value = Vector512.Load(values + i);
            var kept = Vector512.ConditionalSelect(Vector512.Equals(value, value).AsUInt32(), up, bits | Vector512.Create(0x00400000u));
            Vector512.Narrow(Vector512.ShiftRightLogical(kept, 16), Vector512<uint>.Zero).GetLower().Store(halves + i);
        }
    }
}
