using Serving.Sampling;

namespace Serving.Tests;

/// <summary>Rows of logits and short ways to sample them.</summary>
static class Rows
{
    public static readonly TokenHistory Empty = new([]);

    /// <summary>A row with spread, ties and masked tokens, all decided by the random source.</summary>
    public static float[] Random(Random random, int length)
    {
        var scale = random.Next(4) switch { 0 => 0.1f, 1 => 1, 2 => 4, _ => 30 };
        var step = random.Next(3) == 0 ? 0.5f : 0;
        var masked = random.Next(3) == 0 ? random.NextDouble() : 0;
        var row = new float[length];
        for (var i = 0; i < length; i++)
        {
            var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            row[i] = (float)normal * scale;
            if (step > 0)
                row[i] = MathF.Round(row[i] / step) * step;
            if (random.NextDouble() < masked)
                row[i] = float.NegativeInfinity;
        }

        return row;
    }

    /// <summary>A row whose softmax at temperature 1 is the given distribution.</summary>
    public static float[] OfProbabilities(params double[] probabilities) => [.. probabilities.Select(p => (float)Math.Log(p))];

    /// <summary>The tokens that a thousand seeds draw, ascending.</summary>
    public static int[] Drawn(float[] row, SamplingOptions options, TokenHistory? history = null)
    {
        var sampler = new Sampler();
        return [.. Enumerable.Range(0, 1000)
            .Select(seed => sampler.Sample(row, options with { Seed = seed }, history ?? Empty).Id).Distinct().Order()];
    }
}

/// <summary>Allows a fixed set of tokens.</summary>
sealed class AllowOnly(params int[] tokens) : ITokenConstraint
{
    public void Allow(Span<ulong> mask)
    {
        foreach (var token in tokens)
            mask[token / 64] |= 1UL << (token % 64);
    }

    public bool Accept(int token) => tokens.Contains(token);

    public void Rollback(int tokens)
    {
    }
}
