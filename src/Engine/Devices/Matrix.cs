namespace Serving.Devices;

/// <summary>A weight matrix as its device keeps it, or a stack of equal ones (heads, experts). Made by <see cref="IDevice.Load"/>.</summary>
/// <param name="stack">Matrices in the stack; one for a plain matrix.</param>
/// <param name="outputs">Outputs of each matrix.</param>
/// <param name="inputs">Inputs of each matrix.</param>
public abstract class Matrix(int stack, int outputs, int inputs)
{
    /// <summary>Matrices in the stack; one for a plain matrix.</summary>
    public int Stack { get; } = stack;

    /// <summary>Outputs of each matrix.</summary>
    public int Outputs { get; } = outputs;

    /// <summary>Inputs of each matrix.</summary>
    public int Inputs { get; } = inputs;
}
