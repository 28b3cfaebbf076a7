using System.Runtime.CompilerServices;
using Serving.Grammar.Masks;

namespace Serving.Grammar.Automata;

/// <summary>A step that runs another rule first.</summary>
/// <param name="Callee">The rule that runs.</param>
/// <param name="Return">Where its end leads.</param>
readonly record struct RuleCall(Rule Callee, State Return);

/// <summary>A rule as an automaton: deterministic over bytes and calls.</summary>
sealed class Rule(string name)
{
    public string Name { get; } = name;

    public State Start { get; set; } = null!;

    /// <summary>Whether the empty text is one of its texts; then those who call it have a way around it.</summary>
    public bool Nullable { get; set; }
}

/// <summary>A place within a rule.</summary>
class State(bool ends)
{
    /// <summary>More tokens than any answer has: from here the rule cannot end.</summary>
    public const int Never = 1 << 28;

    static int _last;

    byte[] _lows = [];
    byte[] _highs = [];
    State[] _targets = [];
    RuleCall[] _calls = [];
    ByteSet _first;

    public int Id { get; } = Interlocked.Increment(ref _last);

    /// <summary>Whether the rule may end here.</summary>
    public bool Ends { get; } = ends;

    /// <summary>Fewest tokens after which the rule may end, as far as single rules are looked at.</summary>
    public virtual int Tokens { get; set; } = Never;

    /// <summary>Bytes that may come next, those of called rules included.</summary>
    public virtual ByteSet First => _first;

    public void SetFirst(in ByteSet first) => _first = first;

    /// <summary>Forgets how far the end is, to find it anew.</summary>
    public virtual void Forget() => Tokens = Never;

    /// <summary>Tokens that may come next, as far as this rule alone decides; computed at first need.</summary>
    public StateMask? Mask { get; set; }

    /// <summary>The state whose mask is this one's too.</summary>
    public virtual State Twin => this;

    public virtual ReadOnlySpan<RuleCall> Calls => _calls;

    public ReadOnlySpan<State> Targets => _targets;

    public bool GoesOn => _targets.Length > 0 || !Calls.IsEmpty;

    public (byte Low, byte High, State Target) Edge(int index) => (_lows[index], _highs[index], _targets[index]);

    /// <summary>Sets the ways out; byte ranges ascend and do not overlap.</summary>
    public void Connect(IReadOnlyList<(byte Low, byte High, State Target)> edges, RuleCall[] calls)
    {
        (_lows, _highs, _targets) = ([.. edges.Select(e => e.Low)], [.. edges.Select(e => e.High)], [.. edges.Select(e => e.Target)]);
        _calls = calls;
    }

    /// <summary>Drops the ways that never come to an end.</summary>
    public virtual void Prune()
    {
        var live = Enumerable.Range(0, _targets.Length).Select(Edge).Where(edge => edge.Target.Tokens < Never).ToList();
        Connect(live, [.. _calls.Where(call => call.Callee.Start.Tokens < Never && call.Return.Tokens < Never)]);
    }

    public State? Next(byte value)
    {
        for (var i = 0; i < _lows.Length && _lows[i] <= value; i++)
            if (value <= _highs[i])
                return _targets[i];
        return null;
    }
}

/// <summary>A set of bytes.</summary>
[InlineArray(4)]
struct ByteSet
{
    ulong _word;

    public readonly bool Contains(byte value) => (this[value >> 6] >> (value & 63) & 1) != 0;

    public void Add(byte low, byte high)
    {
        for (int value = low; value <= high; value++)
            this[value >> 6] |= 1UL << (value & 63);
    }

    public void Add(in ByteSet other)
    {
        for (var i = 0; i < 4; i++)
            this[i] |= other[i];
    }
}
