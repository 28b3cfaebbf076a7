namespace Serving.Cache;

/// <summary>On which terms a sequence asks for its first pages.</summary>
/// <param name="Seed">Prefixes are shared only under the same seed.</param>
/// <param name="Reuse">False when every row must be computed.</param>
/// <param name="StepTokens">Most tokens that the next step computes.</param>
/// <param name="Forks">Copies that will be made of these tokens, each with a last page of its own.</param>
public readonly record struct AdmitTerms(string Seed, bool Reuse, int StepTokens, int Forks)
{
    /// <summary>Tokens at the beginning whose rows may come from others.</summary>
    public int Shareable { get; init; } = int.MaxValue;
}
