using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using V = System.Runtime.Intrinsics.Vector512<float>;

namespace Serving.Devices.Cpu;

/// <summary>The one product kernel: up to 12 rows on a panel of 32 outputs, for every stored type.</summary>
static unsafe class PanelKernel
{
    /// <summary>
    /// totals[row, output] += sum over inputs of x[row, input] * w[output, input]. Within a group of inputs a sum runs input by input,
    /// then it is scaled and added to the total, so an element's bits do not depend on the number of rows.
    /// </summary>
    /// <param name="x">Inputs [block x rows x 32], padded with zeros.</param>
    /// <param name="sums">Sums of the inputs [block x rows]; read only where the type has minimums.</param>
    /// <param name="panel">The panel.</param>
    /// <param name="first">Its first block to read.</param>
    /// <param name="blocks">Blocks to read.</param>
    /// <param name="totals">Totals [rows x 32].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TRows, TPanel>(float* x, float* sums, byte* panel, int first, int blocks, float* totals)
        where TRows : struct, IRows where TPanel : struct, IPanel
    {
        var words = PanelSize.Block / TPanel.Groups / TPanel.PerWord;
        for (var block = first; block < first + blocks; block++)
        {
            var at = TPanel.At(panel, block);
            for (var group = 0; group < TPanel.Groups; group++)
            {
                V a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default;
                V a6 = default, a7 = default, a8 = default, a9 = default, a10 = default, a11 = default;
                V b0 = default, b1 = default, b2 = default, b3 = default, b4 = default, b5 = default;
                V b6 = default, b7 = default, b8 = default, b9 = default, b10 = default, b11 = default;
                var reader = default(TPanel);
                reader.Open(at, group);
                for (var word = 0; word < words; word++)
                {
                    reader.Load(at, group * words + word);
                    for (var i = 0; i < TPanel.PerWord; i++, x++)
                    {
                        reader.Next(out var w0, out var w1);
                        Step(x, w0, w1, ref a0, ref b0);
                        if (TRows.Count > 1) Step(x + 32, w0, w1, ref a1, ref b1);
                        if (TRows.Count > 2) Step(x + 64, w0, w1, ref a2, ref b2);
                        if (TRows.Count > 3) Step(x + 96, w0, w1, ref a3, ref b3);
                        if (TRows.Count > 4) Step(x + 128, w0, w1, ref a4, ref b4);
                        if (TRows.Count > 5) Step(x + 160, w0, w1, ref a5, ref b5);
                        if (TRows.Count > 6) Step(x + 192, w0, w1, ref a6, ref b6);
                        if (TRows.Count > 7) Step(x + 224, w0, w1, ref a7, ref b7);
                        if (TRows.Count > 8) Step(x + 256, w0, w1, ref a8, ref b8);
                        if (TRows.Count > 9) Step(x + 288, w0, w1, ref a9, ref b9);
                        if (TRows.Count > 10) Step(x + 320, w0, w1, ref a10, ref b10);
                        if (TRows.Count > 11) Step(x + 352, w0, w1, ref a11, ref b11);
                    }
                }
                V s0 = default, s1 = default, m0 = default, m1 = default;
                if (TPanel.HasScale) TPanel.Scale(panel, block, group, out s0, out s1);
                if (TPanel.HasMinimum) TPanel.Minimum(panel, block, group, out m0, out m1);
                Fold<TPanel>(totals, a0, b0, s0, s1, m0, m1, sums);
                if (TRows.Count > 1) Fold<TPanel>(totals + 32, a1, b1, s0, s1, m0, m1, sums + 1);
                if (TRows.Count > 2) Fold<TPanel>(totals + 64, a2, b2, s0, s1, m0, m1, sums + 2);
                if (TRows.Count > 3) Fold<TPanel>(totals + 96, a3, b3, s0, s1, m0, m1, sums + 3);
                if (TRows.Count > 4) Fold<TPanel>(totals + 128, a4, b4, s0, s1, m0, m1, sums + 4);
                if (TRows.Count > 5) Fold<TPanel>(totals + 160, a5, b5, s0, s1, m0, m1, sums + 5);
                if (TRows.Count > 6) Fold<TPanel>(totals + 192, a6, b6, s0, s1, m0, m1, sums + 6);
                if (TRows.Count > 7) Fold<TPanel>(totals + 224, a7, b7, s0, s1, m0, m1, sums + 7);
                if (TRows.Count > 8) Fold<TPanel>(totals + 256, a8, b8, s0, s1, m0, m1, sums + 8);
                if (TRows.Count > 9) Fold<TPanel>(totals + 288, a9, b9, s0, s1, m0, m1, sums + 9);
                if (TRows.Count > 10) Fold<TPanel>(totals + 320, a10, b10, s0, s1, m0, m1, sums + 10);
                if (TRows.Count > 11) Fold<TPanel>(totals + 352, a11, b11, s0, s1, m0, m1, sums + 11);
            }
            x += (TRows.Count - 1) * PanelSize.Block;
            if (TPanel.HasMinimum) sums += TRows.Count;
        }
    }

    /// <summary>The kernel for <paramref name="rows"/> rows, 1 to 12.</summary>
    public static void Run<TPanel>(int rows, float* x, float* sums, byte* panel, int first, int blocks, float* totals)
        where TPanel : struct, IPanel
    {
        switch (rows)
        {
            case 1: Run<Rows1, TPanel>(x, sums, panel, first, blocks, totals); break;
            case 2: Run<Rows2, TPanel>(x, sums, panel, first, blocks, totals); break;
            case 3: Run<Rows3, TPanel>(x, sums, panel, first, blocks, totals); break;
            case 4: Run<Rows4, TPanel>(x, sums, panel, first, blocks, totals); break;
            case 5: Run<Rows5, TPanel>(x, sums, panel, first, blocks, totals); break;
            case 6: Run<Rows6, TPanel>(x, sums, panel, first, blocks, totals); break;
            case 7: Run<Rows7, TPanel>(x, sums, panel, first, blocks, totals); break;
            case 8: Run<Rows8, TPanel>(x, sums, panel, first, blocks, totals); break;
            case 9: Run<Rows9, TPanel>(x, sums, panel, first, blocks, totals); break;
            case 10: Run<Rows10, TPanel>(x, sums, panel, first, blocks, totals); break;
            case 11: Run<Rows11, TPanel>(x, sums, panel, first, blocks, totals); break;
            case 12: Run<Rows12, TPanel>(x, sums, panel, first, blocks, totals); break;
            default: throw new ArgumentOutOfRangeException(nameof(rows), $"The kernel takes 1 to {PanelSize.Rows} rows, not {rows}.");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Step(float* x, V w0, V w1, ref V a, ref V b)
    {
        var value = Vector512.Create(*x);
        a = Vector512.MultiplyAddEstimate(w0, value, a);
        b = Vector512.MultiplyAddEstimate(w1, value, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Fold<TPanel>(float* total, V a, V b, V s0, V s1, V m0, V m1, float* sum) where TPanel : struct, IPanel
    {
        var (t0, t1) = (Vector512.Load(total), Vector512.Load(total + 16));
        t0 = TPanel.HasScale ? Vector512.MultiplyAddEstimate(a, s0, t0) : a + t0;
        t1 = TPanel.HasScale ? Vector512.MultiplyAddEstimate(b, s1, t1) : b + t1;
        if (TPanel.HasMinimum)
        {
            var value = Vector512.Create(*sum);
            t0 = Vector512.MultiplyAddEstimate(m0, value, t0);
            t1 = Vector512.MultiplyAddEstimate(m1, value, t1);
        }
        t0.Store(total);
        t1.Store(total + 16);
    }
}
