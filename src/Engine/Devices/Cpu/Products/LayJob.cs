using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>Lays rows out as [row block][block][row][32] and sums each block of a row; one part is a range of a segment's rows.</summary>
unsafe struct LayJob : IJob, IRowLayer
{
    public LaidRows Rows;
    public float* X, Sums;

    /// <summary>True when the one row already lies right.</summary>
    public bool Direct;

    public bool NeedsSums;

    public readonly void Run(int part, int worker) => Rows.Lay(this, part);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Lay(int first, int rows, int row)
    {
        var source = (float*)Rows.Sources[first + row];
        var sums = Sums + (long)first * Rows.Blocks + row;
        if (Direct)
        {
            for (var block = 0; block < Rows.Blocks && NeedsSums; block++) Sums[(long)first * Rows.Blocks + block] = Sum(source + block * PanelSize.Block);
            return;
        }
        var x = X + ((long)first * Rows.Blocks + row) * PanelSize.Block;
        for (var block = 0; block < Rows.Blocks; block++, x += rows * PanelSize.Block, sums += rows)
        {
            if (Rows.IsWhole(block))
            {
                Vector512.Load(source + block * PanelSize.Block).Store(x);
                Vector512.Load(source + block * PanelSize.Block + 16).Store(x + 16);
            }
            else
            {
                Rows.Copy(source, block, x);
            }
            if (NeedsSums) *sums = Sum(x);
        }
    }

    static float Sum(float* block) => Lanes.Sum(Vector512.Load(block) + Vector512.Load(block + 16));
}
