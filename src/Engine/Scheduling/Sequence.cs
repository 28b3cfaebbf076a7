using System.Runtime.InteropServices;
using Serving.Cache;
using Serving.Sampling;
using Serving.Scheduling.Drafting;

namespace Serving.Scheduling;

/// <summary>Where a sequence stands.</summary>
public enum SequenceState
{
    /// <summary>Not yet given to the scheduler, or a choice whose prompt another one still computes.</summary>
    Unborn,

    /// <summary>Holds no pages and waits for its turn.</summary>
    Waiting,

    /// <summary>Holds pages, and computes in every step that has room.</summary>
    Running,

    /// <summary>Over.</summary>
    Finished,
}

/// <summary>The engine's view of one continuation: the tokens it knows, how many of them are computed, and its pages.</summary>
public sealed class Sequence
{
    /// <summary>Lower priority first, then the older, then the lower choice.</summary>
    public static Comparer<Sequence> Order { get; } = Comparer<Sequence>.Create(static (a, b) =>
        (a.Request.Priority, a.Arrival, a.Choice).CompareTo((b.Request.Priority, b.Arrival, b.Choice)));

    readonly List<int> _tokens = [];

    /// <summary>The first continuation of a request; the others are its forks.</summary>
    public Sequence(GenerationRequest request, int lengthLimit, int pageGroups, NumericPath path = default, DraftOptions? drafting = null)
        : this(request, 0, lengthLimit, pageGroups, path, drafting)
    {
        _tokens.AddRange(request.Prompt);
        MakeRoom();
        Forks = [.. Enumerable.Range(1, request.Choices - 1).Select(Fork)];
        Report = request.ReportsPrompt ? new() : null;
    }

    Sequence(GenerationRequest request, int choice, int lengthLimit, int pageGroups, NumericPath path, DraftOptions? drafting)
    {
        Drafting = drafting;
        (Request, Choice, LengthLimit, Tables) = (request, choice, lengthLimit, new(pageGroups));
        (Path, PrefixSeed) = (path, $"{path.Label}\0{request.CacheSalt}");
        Sampling = request.Sampling with { Seed = unchecked(request.Sampling.Seed + choice * (long)0x9E3779B97F4A7C15) };
        Constraint = request.Constraint?.Invoke();
    }

    /// <summary>What was asked.</summary>
    public GenerationRequest Request { get; }

    /// <summary>Which continuation of the request.</summary>
    public int Choice { get; }

    /// <summary>Most tokens that it may come to know.</summary>
    public int LengthLimit { get; }

    /// <summary>How its tokens are chosen: the request's options with a seed of its own.</summary>
    public SamplingOptions Sampling { get; }

    /// <summary>Which tokens may come next; null for all.</summary>
    public ITokenConstraint? Constraint { get; }

    /// <summary>Continuations that begin as copies when the prompt is computed; none afterwards.</summary>
    public Sequence[] Forks { get; private set; } = [];

    /// <summary>Its pages.</summary>
    public PageTables Tables { get; }

    /// <summary>Where it stands.</summary>
    public SequenceState State { get; internal set; }

    /// <summary>Prompt and generated tokens.</summary>
    public ReadOnlySpan<int> Known => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>Known tokens whose rows are in the cache.</summary>
    public int Computed { get; internal set; }

    /// <summary>Known tokens whose rows are not.</summary>
    public int Remaining => _tokens.Count - Computed;

    /// <summary>Known tokens at the end that are guesses of the step at hand; none between steps.</summary>
    public int Drafted { get; private set; }

    /// <summary>Known tokens that are no guesses.</summary>
    public int Settled => _tokens.Count - Drafted;

    /// <summary>How it is guessed ahead; null for not at all.</summary>
    public DraftOptions? Drafting { get; }

    /// <summary>What decides the rounding of its rows, after a preemption too.</summary>
    public NumericPath Path { get; }

    /// <summary>Known tokens whose rows are executed expanded and are not in the cache.</summary>
    public int ToExpand => Path.ExpandsGiven ? Math.Max(0, Request.Prompt.Length - Computed) : 0;

    /// <summary>Tokens at the beginning whose rows others may share: the prompt's where generated ones would be computed otherwise if given.</summary>
    public int Shareable => Path.ExpandsGiven ? Request.Prompt.Length : int.MaxValue;

    /// <summary>Rows of the step being planned.</summary>
    public int Rows { get; internal set; }

    /// <summary>True when the step being planned computes all that is known.</summary>
    public bool Completes => Rows > 0 && Rows == Remaining;

    /// <summary>Tokens that it said, for penalties; counted when somebody first asks, since most of what waits is in nobody's way.</summary>
    public TokenHistory History
    {
        get => field ??= Choice == 0 ? new(Request.Prompt.AsSpan()) : throw new InvalidOperationException("A continuation has no history before its prompt is computed.");
        private set;
    }

    /// <summary>Guesses that the step being planned may hold.</summary>
    internal int GuessRoom { get; set; }

    internal WaitingLine? Line { get; set; }
    internal long Arrival { get; set; }
    internal string PrefixSeed { get; }
    internal Generation? Generation { get; set; }
    internal PromptReport? Report { get; }
    internal bool PromptPublished { get; set; }
    internal int CachedTokens { get; set; }
    internal long FirstToken { get; set; }
    internal long LastToken { get; set; }

    /// <summary>Comes to know one more token.</summary>
    public void Append(int token)
    {
        _tokens.Add(token);
        History.Add(token);
        MakeRoom();
    }

    /// <summary>
    /// Takes a guess of what comes next; false when no more are wanted, or when the guess would end the answer. A guess is no part of the
    /// history, and the constraint has not seen it.
    /// </summary>
    public bool Guess(int token)
    {
        if (Drafted >= GuessRoom || Sampling.StopTokenIds.AsSpan().Contains(token)) return false;
        _tokens.Add(token);
        Drafted++;
        return true;
    }

    /// <summary>The first guess was right: it is said.</summary>
    public void Confirm()
    {
        History.Add(_tokens[Settled]);
        Drafted--;
    }

    /// <summary>Forgets the guesses that are left; returns how many there were. Their rows are written anew by what comes in their place.</summary>
    public int Rollback()
    {
        var wrong = Drafted;
        _tokens.RemoveRange(_tokens.Count - wrong, wrong);
        (Drafted, Computed) = (0, Math.Min(Computed, _tokens.Count));
        return wrong;
    }

    /// <summary>Nothing of it is computed any more.</summary>
    internal void ForgetRows()
    {
        Computed = 0;
        Report?.Clear();
    }

    /// <summary>Gives the forks, which are no longer this sequence's, their tokens.</summary>
    internal Sequence[] ReleaseForks()
    {
        var forks = Forks;
        Forks = [];
        foreach (var fork in forks)
        {
            fork._tokens.AddRange(_tokens);
            fork.MakeRoom();
            fork.Computed = Computed;
            fork.Arrival = Arrival;
            fork.History = History.Fork();
            fork.PromptPublished = true;
        }

        return forks;
    }

    // While a step is planned nothing is allocated.
    void MakeRoom() => _tokens.EnsureCapacity(_tokens.Count + (Drafting?.Tokens ?? 0));

    Sequence Fork(int choice) => new(Request, choice, LengthLimit, Tables.Groups, Path, Drafting);
}
