using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>Rows that a layer leaves for later layers of the same step, by name.</summary>
/// <param name="scratch">Where they lie while the step lasts.</param>
public sealed class CarriedRows(Scratch scratch)
{
    readonly List<(string Name, Tensor Rows)> _rows = [];
    readonly List<int> _widths = [];

    /// <summary>The number of a name's rows, of a width; the same for every layer that leaves them anew.</summary>
    public int Add(string name, int width)
    {
        var known = _rows.FindIndex(row => row.Name == name);
        if (known >= 0) return known;
        _rows.Add((name, default));
        _widths.Add(width);
        return _rows.Count - 1;
    }

    /// <summary>The number of rows that an earlier layer leaves.</summary>
    public int Find(string name) => _rows.FindIndex(row => row.Name == name) is >= 0 and var number
        ? number
        : throw new InvalidOperationException($"No earlier layer leaves rows '{name}'.");

    /// <summary>Makes room at the start of a step.</summary>
    public void Begin(int rows)
    {
        for (var i = 0; i < _rows.Count; i++) _rows[i] = (_rows[i].Name, scratch.Take(rows, _widths[i]));
    }

    /// <summary>Rows of the step at hand [rows x width].</summary>
    public Tensor Of(int number) => _rows[number].Rows;
}
