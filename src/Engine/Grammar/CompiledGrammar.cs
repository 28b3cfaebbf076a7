using System.Collections.Immutable;
using Serving.Grammar.Automata;
using Serving.Grammar.Masks;
using Serving.Sampling;

namespace Serving.Grammar;

/// <summary>A grammar that is ready to constrain continuations. Made on any thread; what it hands out is for one thread, the engine's.</summary>
public sealed class CompiledGrammar
{
    readonly TokenTrie _trie;

    internal CompiledGrammar(Rule root, int states, TokenTrie trie, TokenMasks masks, ImmutableArray<int> stops)
    {
        (_trie, States, Masks, Stops) = (trie, states, masks, stops);
        Start = Stacks.Push(root.Start, Stacks.End);
    }

    /// <summary>Fewest tokens of a text that fits, as far as single rules are looked at: room for them always suffices.</summary>
    public int FewestTokens => Start.Tokens;

    /// <summary>States of its automata, but for those it shares with all grammars.</summary>
    internal int States { get; }

    internal Stacks Stacks { get; } = new();

    internal TokenMasks Masks { get; }

    internal ImmutableArray<int> Stops { get; }

    internal Continuation Start { get; }

    /// <summary>A constraint for one continuation of at most this many tokens.</summary>
    public ITokenConstraint Begin(int tokens) => new TokenConstraint(this, tokens);

    internal bool TryStep(Continuation from, int token, out Continuation next)
    {
        next = from;
        var bytes = _trie.Bytes(token);
        foreach (var value in bytes)
        {
            next = Stacks.After(next, value);
            if (next.IsDead)
                return false;
        }
        return bytes.Length > 0;
    }
}
