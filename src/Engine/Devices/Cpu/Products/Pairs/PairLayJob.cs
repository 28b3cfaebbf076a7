using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Rounds rows and lays them out as pairs [row block][block][row][16], with their scales and sums [row block][block][row].</summary>
unsafe struct PairLayJob : IJob, IRowLayer
{
    const float Largest = 32767, Least = 1e-30f;

    public LaidRows Rows;
    public int* X;
    public float* Scales, Sums;
    public int Stride;
    public bool IsTurned, IsBFloat16;

    public readonly void Run(int part, int worker) => Rows.Lay(this, part);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Lay(int first, int rows, int row, int from, int to)
    {
        var source = (float*)Rows.Sources[first + row];
        var values = stackalloc float[PanelSize.Block];
        var rounded = stackalloc int[PanelSize.Block];
        for (var block = from; block < to; block++)
        {
            var at = (long)first * Rows.Blocks + (long)block * rows + row;
            var here = source + block * PanelSize.Block;
            if (!Rows.IsWhole(block))
            {
                Rows.Copy(source, block, values);
                here = values;
            }
            if (IsBFloat16) Halve(here, (ushort*)(X + at * 16));
            else (Scales[at], Sums[at]) = Round(here, rounded, X + at * 16);
        }
    }

    // Returns the scale of the block, and the sum of what the rounded values stand for.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    readonly (float Scale, float Sum) Round(float* values, int* rounded, int* pairs)
    {
        var (a, b) = (Vector512.Load(values), Vector512.Load(values + 16));
        var greatest = Vector512.Max(Vector512.Abs(a), Vector512.Abs(b));
        var most = Lanes.Max(greatest);
        // What is no number stays none; a block too small for a scale is zero.
        if (!Vector512.EqualsAll(greatest, greatest)) most = float.NaN;
        var factor = most < Least ? 0 : Largest / most;
        var (q, r) = (Integers(a * factor), Integers(b * factor));
        q.Store(rounded);
        r.Store(rounded + 16);
        var low = IsTurned ? Stride : 0;
        for (var group = 0; group < PanelSize.Block; group += 2 * Stride)
            for (var i = 0; i < Stride; i += 2, pairs += 2)
            {
                var (x, y) = (*(ulong*)(rounded + group + low + i), *(ulong*)(rounded + group + Stride - low + i));
                *(ulong*)pairs = x & 0x0000ffff0000ffff | y << 16 & 0xffff0000ffff0000;
            }
        var scale = most < Least ? 0 : most / Largest;
        return (scale, Vector512.Sum(q + r) * scale);
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
