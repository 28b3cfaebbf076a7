namespace Serving.Cache;

/// <summary>
/// What it takes to bring a sequence that lost its pages back, by the limits of the machine (the roofline of Williams et al., CACM 2009): its
/// bytes twice over the link to host memory, or its tokens through the model again, bound by arithmetic or by reading the weights.
/// </summary>
/// <param name="LinkBytesPerSecond">Bytes between device and host, either way.</param>
/// <param name="FlopsPerSecond">The device's arithmetic.</param>
/// <param name="ReadBytesPerSecond">The device's memory.</param>
/// <param name="FlopsPerToken">Two for each weight that a token meets.</param>
/// <param name="WeightBytes">Bytes of weights that a step reads.</param>
/// <param name="StepTokens">Most tokens of a step.</param>
public readonly record struct SwapCost(
    double LinkBytesPerSecond, double FlopsPerSecond, double ReadBytesPerSecond, double FlopsPerToken, double WeightBytes, int StepTokens)
{
    /// <summary>Seconds to the host and back.</summary>
    public double SwapSeconds(long bytes) => 2 * bytes / LinkBytesPerSecond;

    /// <summary>Seconds to compute so many tokens again; attention among them comes on top, so this is the least.</summary>
    public double ComputeSeconds(int tokens) => Math.Max(
        tokens * FlopsPerToken / FlopsPerSecond, (tokens + StepTokens - 1) / StepTokens * WeightBytes / ReadBytesPerSecond);

    /// <summary>Whether swapping takes less than computing again.</summary>
    public bool IsCheaper(long bytes, int tokens) => SwapSeconds(bytes) < ComputeSeconds(tokens);
}
