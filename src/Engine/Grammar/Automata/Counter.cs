namespace Serving.Grammar.Automata;

/// <summary>
/// A repetition with counts too large to write out: its states are numbers, made when they are first reached. What the body may be is
/// decided by the body's own rule.
/// </summary>
/// <param name="body">What is repeated.</param>
/// <param name="min">How often at least.</param>
/// <param name="max">How often at most; null for no end.</param>
/// <param name="longestToken">Bytes of the longest token.</param>
sealed class Counter(Rule body, int min, int? max, int longestToken)
{
    readonly Dictionary<int, State> _states = [];

    public int Least => body.Nullable ? 0 : min;

    public Rule Body => body;

    /// <summary>The state after this many bodies.</summary>
    public State At(int count)
    {
        if (max is null && count > Least)
            count = Least;
        if (!_states.TryGetValue(count, out var state))
            _states[count] = state = new Counted(this, count);
        return state;
    }

    /// <summary>No token holds more bodies than bytes: with more than that missing or left, one more or less changes no mask.</summary>
    int Representative(int count)
    {
        var missing = Math.Max(0, Least - count);
        if (missing > longestToken)
            return Least - longestToken - 1;
        if (missing == 0 && max is { } most && most - count > longestToken)
            return Math.Max(Least, most - longestToken - 1);
        return count;
    }

    /// <summary>One of the states.</summary>
    public sealed class Counted(Counter counter, int count) : State(count >= counter.Least)
    {
        RuleCall[]? _calls;
        State? _twin;

        public override int Tokens
        {
            get => (int)Math.Min(Never, Math.Max(0L, counter.Least - count) * Body.Tokens);
            set => throw new InvalidOperationException("What is left of a repetition follows from its body.");
        }

        public override ByteSet First => Calls.IsEmpty ? default : Body.First;

        public override ReadOnlySpan<RuleCall> Calls => _calls ??= counter.IsFull(count) || Body.Tokens >= Never ? [] : [new(counter.Body, counter.At(count + 1))];

        public State Body => counter.Body.Start;

        public override void Prune()
        {
        }

        public override void Forget()
        {
        }

        public override State Twin =>
            _twin ??= counter.Representative(count) is var twin && twin == count ? this : counter.At(twin);
    }

    bool IsFull(int count) => max is { } most && count >= most;
}
