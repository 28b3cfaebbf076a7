using Serving.Attention;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>Angles of every position that a cached row may have, for keys that turn when they are read. It grows with the longest sequence.</summary>
/// <param name="plan">The rotary embedding.</param>
/// <param name="device">Where the table lies.</param>
sealed class RowAngles(RotaryPlan plan, IDevice device)
{
    const int Block = 1024;
    readonly float[] _host = new float[Block * plan.Width];

    /// <summary>The rotary embedding.</summary>
    public RotaryPlan Plan => plan;

    /// <summary>Cosines and sines [positions x width].</summary>
    public Tensor Table { get; private set; }

    /// <summary>Makes room for sequences of this many tokens; their limit is fixed at admission, so this is seldom anything but a comparison.</summary>
    public void Reach(int length)
    {
        if (length <= Table.Rows) return;
        Free();
        var rows = (Math.Max(length, 2 * Table.Rows) + Block - 1) / Block * Block;
        Table = Tensor.Matrix(device.Allocate((long)rows * plan.Width * sizeof(float)), rows, plan.Width);
        for (var first = 0; first < rows; first += Block)
        {
            for (var i = 0; i < Block; i++) plan.Fill(first + i, 0, _host.AsSpan(i * plan.Width, plan.Width));
            device.Write(_host, Table.Range(first, Block));
        }
    }

    /// <summary>Gives the memory back to the device.</summary>
    public void Free()
    {
        if (!Table.IsEmpty) device.Free(Table.Address);
    }
}
