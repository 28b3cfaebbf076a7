using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Model.Layers;

/// <summary>What the layers of one decoder share: the device, the weights, scratch memory and tables of positions.</summary>
/// <param name="Device">Where everything runs.</param>
/// <param name="Weights">Names to device matrices.</param>
/// <param name="Scratch">Memory for intermediate results.</param>
/// <param name="Positions">Angles and factors of the step's rows.</param>
public sealed record LayerContext(IDevice Device, Weights Weights, Scratch Scratch, PositionTables Positions)
{
    int[] _numbers = [];
    float[] _ids = [];

    /// <summary>The numbers 0, 1 and on.</summary>
    public ReadOnlySpan<int> Numbers(int count)
    {
        if (_numbers.Length < count) _numbers = [.. Enumerable.Range(0, 2 * count)];
        return _numbers.AsSpan(0, count);
    }

    /// <summary>The ids of the step's tokens as numbers.</summary>
    public ReadOnlySpan<float> Ids(int rows)
    {
        if (_ids.Length < rows) _ids = new float[2 * rows];
        for (var row = 0; row < rows; row++) _ids[row] = Step.Tokens[row];
        return _ids.AsSpan(0, rows);
    }

    /// <summary>Rows that layers leave for later ones.</summary>
    public CarriedRows Carried { get; } = new(Scratch);

    /// <summary>1 for each of the step's tokens that is one of some ids, else 0.</summary>
    public ReadOnlySpan<float> AreOneOf(ImmutableArray<int> ids, int rows)
    {
        if (_ids.Length < rows) _ids = new float[2 * rows];
        for (var row = 0; row < rows; row++) _ids[row] = ids.Contains(Step.Tokens[row]) ? 1 : 0;
        return _ids.AsSpan(0, rows);
    }

    /// <summary>The step's runs by their execution.</summary>
    public StepSegments Segments { get; } = new();

    /// <summary>The step at hand.</summary>
    public StepInput Step { get; set; } = new(0, 0, 0);

    /// <summary>Whether layers that can expand load the matrices for it.</summary>
    public bool Expands { get; init; }
}
