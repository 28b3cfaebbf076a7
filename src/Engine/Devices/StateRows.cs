namespace Serving.Devices;

/// <summary>One state of one layer: a region of equal places, each of which holds the state of one sequence in float32.</summary>
/// <param name="Address">Address of the state in place 0.</param>
/// <param name="PlaceBytes">Bytes from one place to the next.</param>
/// <param name="Width">Values of the state.</param>
public readonly record struct StateRows(nint Address, long PlaceBytes, int Width);

/// <summary>
/// Where the runs of a step find and leave the states of their sequences. Runs act in order: a later run of a place goes on where an
/// earlier one ended. A run that starts at position 0 finds zeros, whatever lies in its place.
/// </summary>
/// <param name="maxRuns">Most runs of a step.</param>
public sealed class StateBatch(int maxRuns)
{
    /// <summary>Stands for no place.</summary>
    public const int None = -1;

    readonly int[] _places = new int[maxRuns], _saves = new int[maxRuns];

    /// <summary>Runs that were added.</summary>
    public int Runs { get; private set; }

    /// <summary>The place of each run.</summary>
    public ReadOnlySpan<int> Places => _places.AsSpan(0, Runs);

    /// <summary>A further place that receives the state as it is behind each run, or None.</summary>
    public ReadOnlySpan<int> Saves => _saves.AsSpan(0, Runs);

    /// <summary>Starts an empty step.</summary>
    public void Clear() => Runs = 0;

    /// <summary>Adds the next run's place, and one more that keeps what it leaves there.</summary>
    public void Add(int place, int save = None) => (_places[Runs], _saves[Runs++]) = (place, save);
}

/// <summary>
/// A running sum over the rows of a sequence: state = decay * state + gain * row, from zero, and from zero again at every position that is
/// a multiple of the period.
/// </summary>
/// <param name="Decay">Factor on the sum so far.</param>
/// <param name="Gain">Factor on the row.</param>
/// <param name="Period">Positions from one beginning to the next; 0 for one beginning.</param>
public readonly record struct RunningSum(float Decay, float Gain, int Period = 0)
{
    /// <summary>Whether the sum begins at a position.</summary>
    public bool BeginsAt(int position) => position == 0 || (Period > 0 && position % Period == 0);
}

/// <summary>What the delta rule reads of every row, head by head.</summary>
/// <param name="Query">Queries [rows x heads x key width].</param>
/// <param name="Key">Keys [rows x heads x key width].</param>
/// <param name="Value">Values [rows x heads x value width].</param>
/// <param name="LogDecay">Logarithms of the factors on the rows of the memory [rows x heads x key width].</param>
/// <param name="Strength">How much of what is new is written [rows x heads].</param>
public readonly record struct DeltaRows(Tensor Query, Tensor Key, Tensor Value, Tensor LogDecay, Tensor Strength);
