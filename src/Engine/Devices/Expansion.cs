namespace Serving.Devices;

/// <summary>
/// Matrices that rebuild keys and values from cached latents, head by head: key = Keys[h] c and value = Values[h] c for the latent c that
/// head h reads.
/// </summary>
/// <param name="Keys">A stack [heads x key width x latent width].</param>
/// <param name="Values">A stack [heads x value width x latent width].</param>
public readonly record struct Expansion(Matrix Keys, Matrix Values)
{
    /// <summary>The six facts of attention over what was rebuilt: every head has keys and values of its own.</summary>
    public AttendShape ShapeOver(AttendRows cached) => new(Keys.Stack, Keys.Stack, Keys.Outputs, cached.Rotary.Width, Values.Outputs, false);
}
