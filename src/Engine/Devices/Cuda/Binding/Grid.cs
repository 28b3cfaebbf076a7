namespace Serving.Devices.Cuda;

/// <summary>Blocks of a launch in three directions.</summary>
/// <param name="X">Up to 2^31 - 1.</param>
/// <param name="Y">Up to 65,535.</param>
/// <param name="Z">Up to 65,535.</param>
readonly record struct Grid(int X, int Y = 1, int Z = 1)
{
    /// <summary>True where there is no block.</summary>
    public bool IsEmpty => X == 0 || Y == 0 || Z == 0;
}
