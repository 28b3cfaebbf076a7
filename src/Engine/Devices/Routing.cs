namespace Serving.Devices;

/// <summary>How scores of experts are made from router logits.</summary>
public enum RouterScore
{
    /// <summary>Softmax over all experts.</summary>
    Softmax,

    /// <summary>A sigmoid each.</summary>
    Sigmoid,

    /// <summary>Softmax over the chosen experts only.</summary>
    SoftmaxOfChosen,
}

/// <summary>How a group of experts is ranked.</summary>
public enum GroupRank
{
    /// <summary>By its best expert.</summary>
    Best,

    /// <summary>By the sum of its two best.</summary>
    TwoBest,
}

/// <summary>The rule that picks experts for a token. Ties go to the lowest index.</summary>
/// <param name="Experts">Experts to choose from, those without weights included.</param>
/// <param name="Chosen">Experts a token uses.</param>
/// <param name="Score">How scores come from logits.</param>
public sealed record RoutingRule(int Experts, int Chosen, RouterScore Score)
{
    /// <summary>Whether the groups are of one size and the kept ones have as many experts as are chosen.</summary>
    public bool CanBeMet => Groups >= 1 && Experts % Groups == 0 && KeptGroups >= 1 && KeptGroups <= Groups && Chosen >= 1
        && Chosen <= Experts / Groups * KeptGroups;

    /// <summary>Groups of neighbouring experts; only experts of the kept groups may be chosen.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Groups kept.</summary>
    public int KeptGroups { get; init; } = 1;

    /// <summary>How groups are ranked.</summary>
    public GroupRank Rank { get; init; }

    /// <summary>Chosen weights are divided by their sum + 1e-20.</summary>
    public bool Renormalize { get; init; }

    /// <summary>Factor on the weights, after renormalising.</summary>
    public float Scale { get; init; } = 1;
}

/// <summary>The experts chosen for each row of a step, in device memory: ids int32 [rows x Chosen], weights float32 [rows x Chosen].</summary>
/// <param name="Experts">Address of the ids.</param>
/// <param name="Weights">Weights, best expert first; <c>Heads</c> is 1 and <c>Width</c> is Chosen.</param>
public readonly record struct RoutedExperts(nint Experts, Tensor Weights)
{
    /// <summary>The first <paramref name="rows"/> rows.</summary>
    public RoutedExperts Take(int rows) => this with { Weights = Weights.Take(rows) };
}
