using System.Collections.Immutable;
using Serving.Devices;

namespace Serving.Attention;

/// <summary>A chain of steps from one row of values to another.</summary>
/// <param name="Steps">The steps, in order.</param>
public sealed record Projection(ImmutableArray<Step> Steps)
{
    /// <summary>A chain of the given steps.</summary>
    public static Projection Of(params ReadOnlySpan<Step?> steps)
    {
        var kept = ImmutableArray.CreateBuilder<Step>(steps.Length);
        foreach (var step in steps)
            if (step is not null) kept.Add(step);
        return new(kept.DrainToImmutable());
    }
}

/// <summary>One step of a <see cref="Projection"/>. Names are those of the checkpoint.</summary>
public abstract record Step
{
    /// <summary>y = W x + b.</summary>
    /// <param name="Weight">Stored matrix [outputs x inputs].</param>
    /// <param name="Outputs">Rows that are used.</param>
    /// <param name="Inputs">Width of x.</param>
    public sealed record Linear(string Weight, int Outputs, int Inputs) : Step
    {
        /// <summary>First row that is used.</summary>
        public int First { get; init; }

        /// <summary>Rows of the whole stored matrix; 0 when all are used.</summary>
        public int Of { get; init; }

        /// <summary>Stored vector [rows of the matrix] that is added; null for none.</summary>
        public string? Bias { get; init; }
    }

    /// <summary>Normalises vectors of <paramref name="Width"/> values, or the row when it is that wide.</summary>
    /// <param name="Kind">What a vector is divided by.</param>
    /// <param name="Width">Values of a vector.</param>
    /// <param name="Epsilon">Added under the root.</param>
    /// <param name="Weight">Stored factors [width] or [row]; null for none.</param>
    public sealed record Normalize(NormKind Kind, int Width, float Epsilon, string? Weight) : Step
    {
        /// <summary>Stored vector that is added after the factors; null for none.</summary>
        public string? Bias { get; init; }

        /// <summary>Added to every factor.</summary>
        public float Offset { get; init; }
    }

    /// <summary>Turns the values Offset up to Offset + the rotary width of every vector of <paramref name="Width"/> values by the position.</summary>
    /// <param name="Rotary">Frequencies and layout.</param>
    /// <param name="Width">Values of a vector.</param>
    /// <param name="Offset">First value that turns.</param>
    public sealed record Rotate(RotaryPlan Rotary, int Width, int Offset = 0) : Step;

    /// <summary>Multiplies by a number.</summary>
    /// <param name="Factor">The number.</param>
    public sealed record Multiply(float Factor) : Step;
}
