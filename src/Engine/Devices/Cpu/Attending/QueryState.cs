using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Devices.Cpu;

/// <summary>
/// What is known of the queries of a unit's group after some rows: greatest score, sum of weights in sixteen lanes, and weighted values
/// [row block][panel][query][32]; the shared part of values lies apart, in blocks of its own. All in memory that someone else owns.
/// </summary>
readonly unsafe struct QueryState(float* memory, float* shared, AttendUnit unit, int group, int valuePadded, int sharedPadded)
{
    // Below every score that a model makes; a difference of two such is 0, not "not a number".
    const float Least = -1e38f;

    /// <summary>Greatest score of each query.</summary>
    public float* Greatest => memory;

    /// <summary>Sums of weights, sixteen lanes a query.</summary>
    public float* Sums => memory + (unit.Queries + 15) / 16 * 16;

    /// <summary>Weighted values without their shared part.</summary>
    public float* Values => Sums + unit.Queries * Lanes.Count;

    /// <summary>The shared part of the weighted values of one of a block's queries, and floats from one panel to the next.</summary>
    public float* SharedValues(int start, int rows, int row, out int stride)
    {
        var block = unit.SharedBlockOf(group, start, rows);
        stride = block.Rows * PanelSize.Outputs;
        return shared + (long)block.Start * sharedPadded + (block.Row + row) * PanelSize.Outputs;
    }

    /// <summary>The state before any row, but for the shared part of values.</summary>
    public void Clear()
    {
        new Span<float>(Greatest, unit.Queries).Fill(Least);
        new Span<float>(Sums, unit.Queries * Lanes.Count).Clear();
        new Span<float>(Values, unit.Queries * valuePadded).Clear();
    }

    /// <summary>Takes up the state of the rows behind.</summary>
    public void Merge(QueryState next)
    {
        var blocks = RowBlocks.Count(unit.Queries);
        for (var block = 0; block < blocks; block++)
        {
            var start = RowBlocks.Start(unit.Queries, blocks, block);
            var rows = RowBlocks.Start(unit.Queries, blocks, block + 1) - start;
            for (var row = 0; row < rows; row++) Merge(next, start, rows, row);
        }
    }

    /// <summary>Multiplies what one query has gathered by a factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Decay(int start, int rows, int row, Vector512<float> factor)
    {
        var sums = Sums + (start + row) * Lanes.Count;
        (Vector512.Load(sums) * factor).Store(sums);
        Multiply(Values + (long)start * valuePadded + row * PanelSize.Outputs, rows * PanelSize.Outputs, valuePadded, factor);
        if (sharedPadded > 0) Multiply(SharedValues(start, rows, row, out var stride), stride, sharedPadded, factor);
    }

    static void Multiply(float* values, int stride, int padded, Vector512<float> factor)
    {
        for (var panel = 0; panel < padded; panel += PanelSize.Outputs, values += stride)
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
        AddScaled(next.Values + offset, its, Values + offset, rows * PanelSize.Outputs, valuePadded);
        if (sharedPadded > 0) AddScaled(next.SharedValues(start, rows, row, out _), its, SharedValues(start, rows, row, out var stride), stride, sharedPadded);
    }

    static void AddScaled(float* source, Vector512<float> factor, float* destination, int stride, int padded)
    {
        for (var panel = 0; panel < padded; panel += PanelSize.Outputs, source += stride, destination += stride)
        {
            AddScaled(source, factor, destination);
            AddScaled(source + 16, factor, destination + 16);
        }
    }

    static void AddScaled(float* source, Vector512<float> factor, float* destination) =>
        Vector512.MultiplyAddEstimate(Vector512.Load(source), factor, Vector512.Load(destination)).Store(destination);
}
