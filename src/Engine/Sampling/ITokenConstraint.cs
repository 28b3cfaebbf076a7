namespace Serving.Sampling;

/// <summary>Says which tokens may come next: compiled on the caller's thread, advanced on the engine's, one instance for each sequence.</summary>
public interface ITokenConstraint
{
    /// <summary>Sets bit i % 64 of word i / 64 for every token i that may come next; the mask arrives cleared, and bits past the vocabulary are ignored.</summary>
    void Allow(Span<ulong> mask);

    /// <summary>Advances over a token that was chosen or drafted; false, with the state unchanged, when the token may not come next.</summary>
    bool Accept(int token);

    /// <summary>Whether nothing may follow: the continuation is complete.</summary>
    bool Ended => false;

    /// <summary>Takes back the given number of tokens accepted last.</summary>
    void Rollback(int tokens);
}
