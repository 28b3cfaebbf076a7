using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>
/// A panel of <typeparamref name="TPanel"/> whose values, scales and minimums were widened to floats, so that many rows share the work.
/// The values, and the order in which a sum takes them, are those of the stored panel.
/// </summary>
unsafe struct WidePanel<TPanel> : IPanel where TPanel : struct, IPanel
{
    const int Values = PanelSize.Block * PanelSize.Outputs * sizeof(float), Vector = PanelSize.Outputs * sizeof(float);

    Vector512<float> _first, _second;

    public static int PerWord => 1;

    public static int Groups => TPanel.Groups;

    public static bool HasScale => TPanel.HasScale;

    public static bool HasMinimum => TPanel.HasMinimum;

    // Inlined by order: a call in the kernel would drive its sums out of the registers.
    static int BlockBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Values + (HasScale ? Groups * Vector : 0) + (HasMinimum ? Groups * Vector : 0);
    }

    public static long BytesOf(int blocks) => (long)blocks * BlockBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* At(byte* panel, int block) => panel + (long)block * BlockBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second)
    {
        var at = (float*)(At(panel, block) + Values + group * Vector);
        (first, second) = (Vector512.Load(at), Vector512.Load(at + 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Minimum(byte* panel, int block, int group, out Vector512<float> first, out Vector512<float> second)
    {
        var at = (float*)(At(panel, block) + Values + (Groups + group) * Vector);
        (first, second) = (Vector512.Load(at), Vector512.Load(at + 16));
    }

    public static void Pack(byte* row, int inputs, byte* panel, int lane) =>
        throw new NotSupportedException("A wide panel is made by widening.");

    /// <summary>Widens blocks of a stored panel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(byte* panel, int from, int blocks, byte* wide)
    {
        for (var block = 0; block < blocks; block++, wide += BlockBytes)
        {
            var at = TPanel.At(panel, from + block);
            var value = (float*)wide;
            var words = PanelSize.Block / Groups / TPanel.PerWord;
            for (var group = 0; group < Groups; group++)
            {
                var reader = default(TPanel);
                reader.Open(at, group);
                for (var word = 0; word < words; word++)
                {
                    reader.Load(at, group * words + word);
                    for (var i = 0; i < TPanel.PerWord; i++, value += 32)
                    {
                        reader.Next(out var w0, out var w1);
                        w0.Store(value);
                        w1.Store(value + 16);
                    }
                }
                if (HasScale)
                {
                    TPanel.Scale(panel, from + block, group, out var s0, out var s1);
                    var scales = (float*)(wide + Values + group * Vector);
                    s0.Store(scales);
                    s1.Store(scales + 16);
                }
                if (HasMinimum)
                {
                    TPanel.Minimum(panel, from + block, group, out var m0, out var m1);
                    var minimums = (float*)(wide + Values + (Groups + group) * Vector);
                    m0.Store(minimums);
                    m1.Store(minimums + 16);
                }
            }
        }
    }

    /// <summary>One output of a widened block: 32 values, scaled, with their minimum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pick(byte* wide, int lane, float* values)
    {
        for (var i = 0; i < PanelSize.Block; i++)
        {
            var group = i / (PanelSize.Block / Groups);
            var value = ((float*)wide)[i * 32 + lane];
            if (HasScale) value *= ((float*)(wide + Values + group * Vector))[lane];
            if (HasMinimum) value += ((float*)(wide + Values + (Groups + group) * Vector))[lane];
            values[i] = value;
        }
    }

    public readonly void Open(byte* words, int group) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* words, int word) =>
        (_first, _second) = (Vector512.Load((float*)words + word * 32), Vector512.Load((float*)words + word * 32 + 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Next(out Vector512<float> first, out Vector512<float> second) => (first, second) = (_first, _second);
}
