using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>
/// What a step's rows, and the cached rows they read, need to know of their positions: one table for each distinct <see cref="PositionTable"/>.
/// </summary>
/// <param name="device">Where the tables lie.</param>
/// <param name="maxRows">Most rows of a step.</param>
public sealed class PositionTables(IDevice device, int maxRows) : IDisposable
{
    readonly List<(PositionTable Plan, Tensor Table)> _tables = [];
    readonly List<RowAngles> _ofRows = [];
    float[] _host = [];

    /// <summary>The number of a plan's table, the same for equal plans.</summary>
    public int Add(PositionTable plan)
    {
        var known = _tables.FindIndex(table => table.Plan.Equals(plan));
        if (known >= 0) return known;
        var bytes = (long)maxRows * plan.Width * sizeof(float);
        _tables.Add((plan, Tensor.Matrix(device.Allocate(bytes), maxRows, plan.Width)));
        if (_host.Length < maxRows * plan.Width) _host = new float[maxRows * plan.Width];
        return _tables.Count - 1;
    }

    /// <summary>The numbers of a step's rows [rows x width].</summary>
    public Tensor Of(int table, int rows) => _tables[table].Table.Take(rows);

    /// <summary>The number of a plan's table of cached rows, the same for equal plans.</summary>
    public int AddOfRows(RotaryPlan plan)
    {
        var known = _ofRows.FindIndex(angles => angles.Plan.Equals(plan));
        if (known >= 0) return known;
        _ofRows.Add(new(plan, device));
        return _ofRows.Count - 1;
    }

    /// <summary>The angles of all positions that a step's rows may read [positions x width].</summary>
    public Tensor OfRows(int table) => _ofRows[table].Table;

    /// <summary>Computes the tables of a step.</summary>
    public void Fill(StepInput step)
    {
        var longest = 0;
        for (var run = 0; run < step.Rows.Runs; run++) longest = Math.Max(longest, step.LengthLimits[run]);
        foreach (var angles in _ofRows) angles.Reach(Math.Max(longest, step.Rows.Last + 1));
        foreach (var (plan, table) in _tables)
        {
            for (var run = 0; run < step.Rows.Runs; run++)
                for (var row = step.Rows.RunStarts[run]; row < step.Rows.RunStarts[run + 1]; row++)
                {
                    var values = _host.AsSpan(row * plan.Width, plan.Width);
                    if (step.Places.Length > 0) plan.Fill(step.Places[row], step.LengthLimits[run], values);
                    else plan.Fill(step.Rows.Positions[row], step.LengthLimits[run], values);
                }
            device.Write(_host.AsSpan(0, step.Rows.Rows * plan.Width), table.Take(step.Rows.Rows));
        }
    }

    /// <summary>Gives the memory back to the device.</summary>
    public void Dispose()
    {
        foreach (var (_, table) in _tables) device.Free(table.Address);
        _tables.Clear();
        foreach (var angles in _ofRows) angles.Free();
        _ofRows.Clear();
    }
}
