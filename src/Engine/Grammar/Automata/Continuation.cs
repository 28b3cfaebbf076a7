using Serving.Grammar.Masks;

namespace Serving.Grammar.Automata;

/// <summary>A place that is open: the state within a rule, and what follows when the rule ends.</summary>
readonly record struct OpenRule(State At, Continuation Below);

/// <summary>
/// All that may still come: the places that the text so far can have reached, each with its stack. A stack is a continuation itself, so
/// stacks share their lower parts, and equal states on different stacks are one place on the union of the stacks. Continuations of one
/// grammar are kept once, hence compared by reference, and remember where each byte leads and which tokens fit.
/// </summary>
sealed class Continuation
{
    const int Few = 6;

    static int _last;

    byte[] _bytes = [];
    Continuation[] _next = [];
    Continuation?[]? _byByte;
    int _known;

    public Continuation(OpenRule[] places, bool ends)
    {
        (Places, Ends) = (places, ends);
        Tokens = ends ? 0 : State.Never;
        foreach (var (at, below) in places)
            Tokens = Math.Min(Tokens, at.Tokens + below.Tokens);
    }

    public int Id { get; } = Interlocked.Increment(ref _last);

    public OpenRule[] Places { get; }

    /// <summary>Whether nothing more need come.</summary>
    public bool Ends { get; }

    /// <summary>Fewest tokens after which nothing more need come, as far as single rules are looked at.</summary>
    public int Tokens { get; }

    public bool IsDead => Places.Length == 0 && !Ends;

    /// <summary>The tokens that fit; computed at first need.</summary>
    public TokenMask? Mask { get; set; }

    public Continuation? After(byte value)
    {
        if (_byByte is not null)
            return _byByte[value];
        var index = _bytes.AsSpan(0, _known).IndexOf(value);
        return index < 0 ? null : _next[index];
    }

    public void Remember(byte value, Continuation next)
    {
        if (_byByte is null && _known < Few)
        {
            if (_known == 0)
                (_bytes, _next) = (new byte[Few], new Continuation[Few]);
            (_bytes[_known], _next[_known]) = (value, next);
            _known++;
            return;
        }
        if (_byByte is null)
        {
            _byByte = new Continuation?[256];
            for (var i = 0; i < _known; i++)
                _byByte[_bytes[i]] = _next[i];
        }
        _byByte[value] = next;
    }

    /// <summary>Lets go of all that can be computed again.</summary>
    public void Forget()
    {
        (_known, _byByte, Mask) = (0, null, null);
        (_bytes, _next) = ([], []);
    }
}
