using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>
/// What is known of the queries of a unit after some rows: greatest score, sum of weights in sixteen lanes, and weighted values
/// [row block][panel][query][32]. Lies in memory that someone else owns.
/// </summary>
readonly unsafe struct QueryState(float* memory, int queries, int valuePadded)
{
    // Below every score that a model makes; a difference of two such is 0, not "not a number".
    const float Least = -1e38f;

    /// <summary>Greatest score of each query.</summary>
    public float* Greatest => memory;

    /// <summary>Sums of weights, sixteen lanes a query.</summary>
    public float* Sums => memory + (queries + 15) / 16 * 16;

    /// <summary>Weighted values.</summary>
    public float* Values => Sums + queries * Lanes.Count;

    /// <summary>The state before any row.</summary>
    public void Clear()
    {
        new Span<float>(Greatest, queries).Fill(Least);
        new Span<float>(Sums, queries * Lanes.Count).Clear();
        new Span<float>(Values, queries * valuePadded).Clear();
    }

    /// <summary>Takes up the state of the rows behind.</summary>
    public void Merge(QueryState next)
    {
        var blocks = RowBlocks.Count(queries);
        for (var block = 0; block < blocks; block++)
        {
            var start = RowBlocks.Start(queries, blocks, block);
            var rows = RowBlocks.Start(queries, blocks, block + 1) - start;
            for (var row = 0; row < rows; row++) Merge(next, start, rows, row);
        }
    }

    /// <summary>Multiplies what one query has gathered by a factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Decay(int start, int rows, int row, Vector512<float> factor)
    {
        var sums = Sums + (start + row) * Lanes.Count;
        (Vector512.Load(sums) * factor).Store(sums);
        var values = Values + (long)start * valuePadded + row * PanelSize.Outputs;
        for (var panel = 0; panel < valuePadded; panel += PanelSize.Outputs, values += rows * PanelSize.Outputs)
        {
            (Vector512.Load(values) * factor).Store(values);
            (Vector512.Load(values + 16) * factor).Store(values + 16);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Merge(QueryState next, int start, int rows, int row)
    {
        var query = start + row;
        var greatest = MathF.Max(Greatest[query], next.Greatest[query]);
        var mine = Lanes.Exp(Vector512.Create(Greatest[query] - greatest));
        var its = Lanes.Exp(Vector512.Create(next.Greatest[query] - greatest));
        Greatest[query] = greatest;
        Decay(start, rows, row, mine);
        AddScaled(next.Sums + query * Lanes.Count, its, Sums + query * Lanes.Count);
        var offset = (long)start * valuePadded + row * PanelSize.Outputs;
        for (var panel = 0; panel < valuePadded; panel += PanelSize.Outputs, offset += rows * PanelSize.Outputs)
        {
            AddScaled(next.Values + offset, its, Values + offset);
            AddScaled(next.Values + offset + 16, its, Values + offset + 16);
        }
    }

    static void AddScaled(float* source, Vector512<float> factor, float* destination) =>
        Vector512.FusedMultiplyAdd(Vector512.Load(source), factor, Vector512.Load(destination)).Store(destination);
}
