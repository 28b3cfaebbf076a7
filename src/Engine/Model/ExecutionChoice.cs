using Serving.Attention;
using Serving.Devices;

namespace Serving.Model;

/// <summary>How layers that cache latents are executed for given tokens. Generated tokens are always absorbed.</summary>
public enum Execution
{
    /// <summary>Whichever takes fewer multiplications for a prompt's length.</summary>
    Auto,

    /// <summary>Latents are read as they are; maps on the query and on the result stand in for keys and values.</summary>
    Absorbed,

    /// <summary>Keys and values of every head are rebuilt from the latents.</summary>
    Expanded,
}

/// <summary>Sizes of a layer that caches latents.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="Latent">Values of the latent, C.</param>
/// <param name="Rotary">Values of the rotary key, r.</param>
/// <param name="Key">Values of a key beside the rotary part, k.</param>
/// <param name="Value">Values of a value, v.</param>
public readonly record struct LatentSizes(int Heads, int Latent, int Rotary, int Key, int Value);

/// <summary>Which execution given tokens get, as a pure table.</summary>
public static class ExecutionChoice
{
    /// <summary>
    /// Tokens that must be given for rebuilding to take fewer multiplications: C (k + v) / (2 C - k - v), rounded up, for latents of C values,
    /// keys of k beside the rotary part, and values of v; null when no number of tokens is enough. It is the limit for many cached rows of
    /// L C (k + v) + B L (k + v) against B L 2 C, where every device is bound by multiplications; heads and the rotary part count alike on
    /// both sides (arXiv 2506.02523). Behind fewer rows fewer tokens would do, but what lies before them, and in which steps they are computed,
    /// is not known at admission.
    /// </summary>
    public static int? Crossover(int latent, int key, int value) => 2L * latent <= key + value
        ? null
        : (int)((latent * ((long)key + value) + 2L * latent - key - value - 1) / (2L * latent - key - value));

    /// <summary>The greatest crossover of a plan's layers that cache latents; null when there is none or a layer never gains.</summary>
    public static int? Crossover(IEnumerable<AttentionPlan> layers)
    {
        int? greatest = null;
        foreach (var plan in layers.Where(layer => layer.CanExpand))
        {
            var (key, value) = (plan.Branch.KeyMap!, plan.Branch.ValueMap!);
            if (Crossover(key.Inputs, key.Rows, value.Rows) is not { } own) return null;
            greatest = Math.Max(greatest ?? 0, own);
        }
        return greatest;
    }

    /// <summary>
    /// Seconds of a layer for given tokens behind cached ones at a device's limits (a roofline, arXiv 2506.02523): the longer of
    /// multiplications and reading. Both executions read maps in 16 bits and every row once, so limits never reverse their order: they
    /// say where both wait for memory, and take equally long.
    /// </summary>
    public static double Seconds(LatentSizes sizes, int given, int behind, int rowBytes, DeviceCeiling device, bool expanded)
    {
        double rows = (double)behind + given, pairs = given * (behind + (given + 1) / 2.0);
        var maps = (double)sizes.Heads * sizes.Latent * (sizes.Key + sizes.Value);
        var products = expanded
            ? rows * maps + pairs * sizes.Heads * (sizes.Key + sizes.Rotary + sizes.Value)
            : given * maps + pairs * sizes.Heads * (2.0 * sizes.Latent + sizes.Rotary);
        return Math.Max(2 * products / device.FlopsPerSecond, (2 * maps + rows * rowBytes) / device.ReadBytesPerSecond);
    }

    /// <summary>The fewest given tokens, up to <paramref name="most"/>, that are expanded in less time at a device's limits; null when there are none.</summary>
    public static int? Crossover(LatentSizes sizes, int behind, int rowBytes, DeviceCeiling device, int most)
    {
        for (var given = 1; given <= most; given++)
            if (Seconds(sizes, given, behind, rowBytes, device, expanded: true) < Seconds(sizes, given, behind, rowBytes, device, expanded: false)) return given;
        return null;
    }

    /// <summary>Whether a prompt's tokens are expanded, by what was asked for and the <see cref="Crossover(int, int, int)"/> of the model.</summary>
    public static bool Expands(Execution asked, int? crossover, int promptLength) => asked switch
    {
        Execution.Absorbed => false,
        Execution.Expanded => true,
        _ => promptLength >= crossover,
    };
}
