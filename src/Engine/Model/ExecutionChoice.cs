using Serving.Attention;

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

/// <summary>Which execution given tokens get, as a pure table.</summary>
public static class ExecutionChoice
{
    /// <summary>
    /// Tokens that must be given for rebuilding to take fewer multiplications: C (k + v) / (2 C - k - v), rounded up, for latents of C values,
    /// keys of k beside the rotary part, and values of v; null when no number of tokens is enough. It is the limit for many cached rows of
    /// L C (k + v) + B L (k + v) against B L 2 C; heads and the rotary part count alike on both sides (arXiv 2506.02523).
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

    /// <summary>Whether a prompt's tokens are expanded, by what was asked for and the <see cref="Crossover(int, int, int)"/> of the model.</summary>
    public static bool Expands(Execution asked, int? crossover, int promptLength) => asked switch
    {
        Execution.Absorbed => false,
        Execution.Expanded => true,
        _ => promptLength >= crossover,
    };
}
