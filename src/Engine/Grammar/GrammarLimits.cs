namespace Serving.Grammar;

/// <summary>
/// How much of the server one grammar may take; what goes beyond is a <see cref="GrammarException"/>. And what is kept of all of them.
/// </summary>
public sealed record GrammarLimits
{
    /// <summary>Characters of a schema, expression or grammar.</summary>
    public int SourceLength { get; init; } = 1 << 18;

    /// <summary>Rules, those made of subschemas included.</summary>
    public int Rules { get; init; } = 10_000;

    /// <summary>States of all automata.</summary>
    public int States { get; init; } = 100_000;

    /// <summary>Depth of groups in an expression, of rules that begin with one another, and of schemas.</summary>
    public int Depth { get; init; } = 100;

    /// <summary>Largest count of a repetition.</summary>
    public int Repetitions { get; init; } = 1_000_000;

    /// <summary>Elementary operations of a compilation: some hundred million take a second.</summary>
    public long Work { get; init; } = 40_000_000;

    /// <summary>States of all grammars that are kept to be asked for again; one is kept however large it is.</summary>
    public int KeptStates { get; init; } = 400_000;

    /// <summary>Bytes of all masks that are kept.</summary>
    public long MaskBytes { get; init; } = 96 << 20;
}

/// <summary>What a compilation has taken so far.</summary>
sealed class GrammarBudget(GrammarLimits limits)
{
    long _work;
    int _states;
    int _rules;

    public GrammarLimits Limits { get; } = limits;

    public void Work(long operations)
    {
        if ((_work += operations) > Limits.Work)
            throw new GrammarException($"It takes more than {Limits.Work} operations to compile; make it smaller or less ambiguous.");
    }

    public void State()
    {
        if (++_states > Limits.States)
            throw new GrammarException($"It needs more than {Limits.States} states; make it smaller, or its repetitions simpler.");
    }

    public void Rule()
    {
        if (++_rules > Limits.Rules)
            throw new GrammarException($"It needs more than {Limits.Rules} rules; make it smaller.");
    }
}
