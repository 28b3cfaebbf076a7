using System.Runtime.InteropServices;
using Serving.Cache;
using Serving.Scheduling.Drafting;

namespace Serving.Scheduling;

/// <summary>
/// No phases: each sequence has computed fewer tokens than it knows, and a step narrows the gap. What runs goes before what waits, one
/// row before many; the last in order of priority and age gives up its pages when they run out, and computes again later. Callers take turns.
/// </summary>
/// <param name="pages">The books of the cache.</param>
/// <param name="maxSequences">Most sequences that run at once.</param>
/// <param name="tokensPerStep">Most rows of a step, no fewer than <paramref name="maxSequences"/>.</param>
/// <param name="drafter">Guesses ahead of the sequences that ask for it; null for nobody.</param>
public sealed class Scheduler(PageLedger pages, int maxSequences, int tokensPerStep, IDrafter? drafter = null)
{
    readonly List<Sequence> _running = [];
    readonly WaitingLines _waiting = new();
    readonly StepBatch _step = new(tokensPerStep);
    readonly List<Sequence> _drafting = [];
    IDrafter? _drafter = drafter;
    int _seats;
    long _arrivals;
    (Sequence? Head, long Returned) _blocked;

    // A long prompt leaves room for three more to begin beside it, so that short ones do not wait for its end.
    readonly int _share = Math.Max(1, tokensPerStep / 4);

    /// <summary>Sequences with pages, in order of priority, then age.</summary>
    public IReadOnlyList<Sequence> Running => _running;

    /// <summary>How many have none.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>Those without, each caller's in the same order.</summary>
    public IEnumerable<Sequence> WaitingSequences => _waiting.All;

    /// <summary>By what it is decided whether the rows of a preempted sequence go to host memory; by default they do where there is room.</summary>
    public SwapCost? SwapCost { get; init; }

    /// <summary>Most rows of prompts in a step beside sequences that take a row each, and wait for all of it.</summary>
    public int PromptRows { get; set; } = tokensPerStep;

    /// <summary>What happened so far.</summary>
    public ScheduleCounts Counts { get; } = new();

    /// <summary>Takes in a new sequence.</summary>
    public void Add(Sequence sequence)
    {
        sequence.Arrival = _arrivals++;
        _waiting.Enter(sequence);
        Wait(sequence);
    }

    /// <summary>Decides who computes how much in the next step, and finds the pages for it.</summary>
    public StepBatch Plan()
    {
        _step.Clear();
        PlaceRunning(single: true);
        if (_step.Rows > 0) _step.LimitTo(PromptRows);
        PlaceRunning(single: false);
        while (!_step.Preempted && _step.Left > 0 && _waiting.Next is { } next && TryAdmit(next))
            _step.Add(next, ShareOf(next));
        TopUp();
        return _step;
    }

    /// <summary>
    /// Adds guesses to the planned step. They take what is left of its rows, and never a page that somebody holds: nobody is preempted for
    /// them, and after the step they are gone. When the drafter fails there are no more guesses, and its exception is the caller's to tell.
    /// </summary>
    public void Draft()
    {
        if (_drafter is null) return;
        _drafting.Clear();
        var (left, sequences) = (_step.Left, _step.Sequences.Length);
        foreach (var sequence in _step.Sequences)
        {
            sequence.GuessRoom = sequence.Drafting is { } options && sequence.PromptPublished && sequence.Completes && sequences <= options.MostSequences
                ? Math.Max(0, Math.Min(Math.Min(options.Tokens, left), Math.Min(
                    sequence.LengthLimit - sequence.Known.Length - 1,
                    pages.NextSnapshot(sequence.Tables, sequence.Known.Length - 1, sequence.Request.Prompt.Length) - sequence.Known.Length - 1)))
                : 0;
            if (sequence.GuessRoom == 0) continue;
            left -= sequence.GuessRoom;
            _drafting.Add(sequence);
        }

        if (_drafting.Count == 0) return;
        try
        {
            _drafter.Draft(CollectionsMarshal.AsSpan(_drafting));
        }
        catch
        {
            foreach (var sequence in _drafting) Forget(sequence);
            _drafter = null;
            throw;
        }

        foreach (var sequence in _drafting)
        {
            if (sequence.Drafted > 0 && !pages.TryDraft(sequence.Tables, sequence.Known.Length)) sequence.Rollback();
            sequence.GuessRoom = sequence.Drafted;
            _step.Add(sequence, sequence.Drafted);
        }
    }

    /// <summary>
    /// Books the rows of a computed step: guesses that were not confirmed go, full pages become known, pages that no later token reads come back.
    /// </summary>
    public void Commit()
    {
        foreach (var sequence in _step.Sequences)
        {
            sequence.Computed += sequence.Rows;
            sequence.Line!.Served += sequence.Rows;
            if (sequence.GuessRoom > 0) Verified(sequence);
            pages.Publish(sequence.Tables, sequence.Known[..Math.Min(sequence.Computed, sequence.Shareable)]);
            pages.Trim(sequence.Tables, sequence.Computed);
        }
    }

    /// <summary>Brings the forks of a computed prompt to life; true when their last page must be copied from the sequence's own.</summary>
    public bool Fork(Sequence sequence, out Sequence[] forks)
    {
        var copies = false;
        forks = sequence.ReleaseForks();
        _seats -= forks.Length;
        foreach (var fork in forks)
        {
            WaitingLines.Join(fork, sequence);
            copies = pages.Fork(sequence.Tables, fork.Tables, sequence.Computed);
            Run(fork);
        }

        return copies;
    }

    /// <summary>Ends a sequence, wherever it stands, and gives its pages back.</summary>
    public void Finish(Sequence sequence)
    {
        if (sequence.State == SequenceState.Running) LeaveSeat(sequence);
        else pages.Release(sequence.Tables);
        pages.Swap?.Drop(sequence.Tables);
        _waiting.Leave(sequence);
        sequence.State = SequenceState.Finished;
    }

    void PlaceRunning(bool single)
    {
        for (var i = 0; i < _running.Count && _step.Left > 0; i++)
        {
            var sequence = _running[i];
            if (sequence.Remaining == 1 != single || sequence.Generation?.IsBehind == true) continue;
            var rows = ShareOf(sequence);
            while (sequence.State == SequenceState.Running && !TryGrow(sequence, rows)) Preempt(_running[^1]);
            if (sequence.State == SequenceState.Running) _step.Add(sequence, rows);
        }
    }

    // What nobody else wanted goes to the prompts, the first ones first.
    void TopUp()
    {
        foreach (var sequence in _step.Sequences)
        {
            var more = Math.Min(sequence.Remaining - sequence.Rows, _step.Left);
            if (more > 0 && TryGrow(sequence, sequence.Rows + more)) _step.Add(sequence, more);
        }
    }

    static void Forget(Sequence sequence)
    {
        sequence.Rollback();
        sequence.GuessRoom = 0;
    }

    // A state is as it was before the guesses, or behind all of them: those that were right are computed again where others were wrong.
    void Verified(Sequence sequence)
    {
        var guessed = sequence.GuessRoom;
        var before = sequence.Computed - guessed;
        var wrong = sequence.Rollback();
        Counts.Drafted(guessed, wrong);
        if (pages.Settle(sequence.Tables, sequence.Known.Length, wrong > 0)) sequence.Computed = before;
        sequence.GuessRoom = 0;
    }

    bool TryGrow(Sequence sequence, int rows) => pages.TryGrow(sequence.Tables, sequence.Computed + rows);
    int ShareOf(Sequence sequence) => Math.Min(sequence.Remaining, Math.Min(_share, _step.Left));

    bool TryAdmit(Sequence next)
    {
        if (_blocked == (next, pages.Returned) || _seats + 1 + next.Forks.Length > maxSequences) return false;
        var reuse = next.Report is null || next.PromptPublished;
        var terms = new AdmitTerms(next.PrefixSeed, reuse, Math.Min(_share, _step.Left), next.Forks.Length) { Shareable = next.Shareable };
        if (!(IsSwapped(next) ? TryReturn(next, terms) : TryBegin(next, terms)))
        {
            _blocked = (next, pages.Returned);
            return false;
        }

        foreach (var fork in next.Forks) pages.TakeSpare(fork.Tables, next.Known.Length);
        _waiting.Remove(next);
        Run(next);
        return true;
    }

    bool TryBegin(Sequence next, AdmitTerms terms)
    {
        if (pages.TryAdmit(next.Tables, next.Known, terms) is not { } shared) return false;
        Counts.Looked(next, shared, terms.Reuse, pages.PageTokens);
        next.Computed = shared;
        if (!next.PromptPublished) next.CachedTokens = shared;
        return true;
    }

    bool TryReturn(Sequence next, AdmitTerms terms)
    {
        if (!pages.TryReturn(next.Tables, next.Known, next.Computed, terms)) return false;
        Counts.Returned(next);
        return true;
    }

    // Rows that were lost on their way to the host are computed again.
    bool IsSwapped(Sequence next)
    {
        if (next.Computed == 0 || pages.IsSwapped(next.Tables)) return next.Computed > 0;
        next.ForgetRows();
        return false;
    }

    void Run(Sequence sequence)
    {
        var place = _running.BinarySearch(sequence, Sequence.Order);
        _running.Insert(~place, sequence);
        _seats += 1 + sequence.Forks.Length;
        sequence.State = SequenceState.Running;
    }

    void Preempt(Sequence victim)
    {
        _step.Preempt(victim);
        var swaps = victim.Computed > 0 && pages.Swap is { } swap && SwapCost?.IsCheaper(swap.BytesOf(victim.Tables, victim.Computed), victim.Computed) != false
            && swap.TryOut(victim.Tables, victim.Computed);
        Counts.Preempted(victim, swaps);
        LeaveSeat(victim);
        Wait(victim);
    }

    void Wait(Sequence sequence)
    {
        sequence.State = SequenceState.Waiting;
        if (sequence.Tables.Swapped is null) sequence.ForgetRows();
        _waiting.Wait(sequence);
    }

    void LeaveSeat(Sequence sequence)
    {
        _running.RemoveAt(_running.BinarySearch(sequence, Sequence.Order));
        _seats -= 1 + sequence.Forks.Length;
        foreach (var fork in sequence.Forks) pages.Release(fork.Tables);
        pages.Release(sequence.Tables);
        if (sequence.Drafting is not null) _drafter?.Forget(sequence);
    }
}
