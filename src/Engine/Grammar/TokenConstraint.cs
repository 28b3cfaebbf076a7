using Serving.Grammar.Automata;
using Serving.Sampling;

namespace Serving.Grammar;

/// <summary>
/// Holds one continuation to a grammar, and to its room: as long as the grammar can come to an end within the tokens that are left, only tokens
/// after which it still can are allowed.
/// </summary>
/// <param name="grammar">The grammar.</param>
/// <param name="tokens">Most tokens of the continuation.</param>
sealed class TokenConstraint(CompiledGrammar grammar, int tokens) : ITokenConstraint
{
    /// <summary>Tokens that can be taken back.</summary>
    const int Remembered = 64;

    readonly Continuation[] _before = new Continuation[Remembered];
    Continuation _at = grammar.Start;
    int _accepted;
    bool _stopped;

    /// <inheritdoc/>
    public bool Ended => _stopped || (_at.Ends && _at.Places.Length == 0);

    /// <inheritdoc/>
    public void Allow(Span<ulong> mask)
    {
        if (_stopped)
            return;
        var left = tokens - _accepted;
        var fitting = grammar.Masks.Of(_at, grammar.Stacks);
        if (fitting.Farthest >= left && _at.Tokens <= left)
            grammar.Masks.Within(_at, grammar.Stacks, left - 1, mask);
        else
            fitting.Bits.AsSpan(0, Math.Min(mask.Length, fitting.Bits.Length)).CopyTo(mask);
        if (!_at.Ends)
            return;
        foreach (var stop in grammar.Stops)
            mask[stop >> 6] |= 1UL << (stop & 63);
    }

    /// <inheritdoc/>
    public bool Accept(int token)
    {
        if (_stopped)
            return false;
        var next = _at;
        if (_at.Ends && grammar.Stops.Contains(token))
            _stopped = true;
        else if (!grammar.TryStep(_at, token, out next))
            return false;
        _before[_accepted++ % Remembered] = _at;
        _at = next;
        return true;
    }

    /// <inheritdoc/>
    public void Rollback(int tokens)
    {
        if (tokens < 0 || tokens > Math.Min(_accepted, Remembered))
            throw new ArgumentOutOfRangeException(nameof(tokens), $"{tokens} tokens cannot be taken back: {Math.Min(_accepted, Remembered)} are remembered.");
        for (; tokens > 0; tokens--)
        {
            _stopped = false;
            _at = _before[--_accepted % Remembered];
        }
    }
}
