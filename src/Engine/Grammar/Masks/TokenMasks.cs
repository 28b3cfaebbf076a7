using Serving.Grammar.Automata;

namespace Serving.Grammar.Masks;

/// <summary>
/// Finds the tokens that a continuation allows, by walking the tree of the vocabulary and the automaton together. Most tokens are decided by
/// the topmost rule alone; their mask is kept with the rule's state, and only tokens that reach over the rule's end are walked for
/// each stack (the split of context-independent and context-dependent tokens of Dong et al., "XGrammar", 2024). For one thread at a time.
/// </summary>
sealed class TokenMasks(TokenTrie trie, GrammarLimits limits)
{
    /// <summary>Places looked at in one walk, as multiples of the vocabulary's tree; beyond, tokens of more than one byte are left out.</summary>
    const int MostPlaces = 4;

    /// <summary>Bytes of the objects around a mask.</summary>
    const long Overhead = 256;

    readonly Continuation[] _path = new Continuation[trie.Depths.Max() + 1];
    readonly List<int> _exits = [];
    readonly List<Continuation> _withMask = [];
    readonly List<State> _statesWithMask = [];
    readonly int _words = (trie.Size + 63) / 64;
    long _bytes, _gone;

    /// <summary>Notes that a grammar of so many states is no longer kept. Any thread may call.</summary>
    public void LetGo(int states) => Interlocked.Add(ref _gone, states);

    /// <summary>The tokens that may come next, whatever the room that is left.</summary>
    public TokenMask Of(Continuation from, Stacks stacks)
    {
        if (from.Mask is { } known)
            return known;
        Reserve();
        var bits = new ulong[_words];
        var farthest = 0;
        foreach (var (at, below) in from.Places)
        {
            if (below.Tokens >= State.Never)
                continue;
            var mask = Of(at.Twin, stacks);
            for (var i = 0; i < bits.Length; i++)
                bits[i] |= mask.Bits[i];
            farthest = Math.Max(farthest, Math.Min(State.Never, at.Tokens + mask.Growth + below.Tokens));
            foreach (var exit in mask.Exits)
                farthest = Math.Max(farthest, Walk(exit, below, stacks, bits, State.Never - 1, null));
        }
        _withMask.Add(from);
        return from.Mask = new(bits, farthest);
    }

    /// <summary>The tokens after which no more than <paramref name="most"/> tokens are needed to come to an end; computed anew each time.</summary>
    public void Within(Continuation from, Stacks stacks, int most, Span<ulong> bits) => Walk(0, from, stacks, bits, most, null);

    StateMask Of(State state, Stacks stacks)
    {
        if (state.Mask is { } known)
            return known;
        Reserve();
        var bits = new ulong[_words];
        _exits.Clear();
        var farthest = Walk(0, stacks.Push(state, stacks.End), stacks, bits, State.Never - 1, _exits);
        _statesWithMask.Add(state);
        return state.Mask = new(bits, farthest - state.Tokens, [.. _exits]);
    }

    /// <summary>Adds the tokens below a node that fit, and tells how far from the end the worst of them is.</summary>
    int Walk(int root, Continuation from, Stacks stacks, Span<ulong> bits, int most, List<int>? exits)
    {
        var (ends, depths, labels, tokens) = (trie.Ends, trie.Depths, trie.Labels, trie.Tokens);
        var (farthest, left) = (0, (long)MostPlaces * labels.Length);
        _path[depths[root]] = from;
        var (node, end) = (root + 1, ends[root]);
        while (node < end)
        {
            var depth = depths[node];
            var before = _path[depth - 1];
            left -= before.Places.Length;
            var at = left < 0 && depth > depths[root] + 1 && node < trie.FirstControl ? stacks.Dead : stacks.After(before, labels[node]);
            if (at.IsDead)
            {
                node = ends[node];
                continue;
            }
            _path[depth] = at;
            if (tokens[node] >= 0 && at.Tokens <= most)
            {
                farthest = Math.Max(farthest, at.Tokens);
                for (var token = tokens[node]; token >= 0; token = trie.Same(token))
                    bits[token >> 6] |= 1UL << (token & 63);
            }
            if (exits is not null && at.Ends && ends[node] > node + 1)
                exits.Add(node);
            node = at.Places.Length == 0 ? ends[node] : node + 1;
        }
        return farthest;
    }

    void Reserve()
    {
        _bytes += _words * sizeof(ulong) + Overhead;
        // A mask keeps its grammar from being collected, even one that nobody has any more.
        if (_bytes <= limits.MaskBytes && Interlocked.Read(ref _gone) <= limits.KeptStates / 2)
            return;
        Interlocked.Exchange(ref _gone, 0);
        foreach (var continuation in _withMask)
            continuation.Mask = null;
        foreach (var state in _statesWithMask)
            state.Mask = null;
        _withMask.Clear();
        _statesWithMask.Clear();
        _bytes = _words * sizeof(ulong) + Overhead;
    }
}
