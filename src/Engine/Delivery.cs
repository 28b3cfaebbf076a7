using Serving.Diagnostics;
using Serving.Sampling;
using Serving.Scheduling;

namespace Serving;

/// <summary>Tells callers what a committed step has brought, lets forks begin, and ends what has come to its end.</summary>
sealed class Delivery(Scheduler scheduler, Door door, Pace pace, EngineMetrics metrics, EngineDiagnostics diagnostics)
{
    static readonly string[] Reasons = [.. Enum.GetNames<FinishReason>().Select(name => name.ToLowerInvariant())];

    readonly TimeProvider _clock = diagnostics.Clock;
    readonly HashSet<Generation> _live = [];

    /// <summary>Generations that go on.</summary>
    public int Live => _live.Count;

    /// <summary>Tokens generated so far.</summary>
    public long Tokens { get; private set; }

    /// <summary>Prompt tokens computed or shared so far, of every prompt once.</summary>
    public long PromptTokens { get; private set; }

    /// <summary>Reports the prompts that the step has completed and lets their forks begin; lists the open pages that they copy.</summary>
    public void Prompts(StepBatch step, PageCopies copies)
    {
        foreach (var sequence in step.Sequences)
        {
            if (sequence.PromptPublished || sequence.Remaining > 0) continue;
            sequence.PromptPublished = true;
            PromptTokens += sequence.Request.Prompt.Length;
            var generation = sequence.Generation!;
            var pooling = sequence.Request.Pooling;
            generation.Publish(new GenerationEvent.Prompt(sequence.CachedTokens, sequence.Report?.Scores ?? []));
            if (pooling != Pooling.None)
                generation.Publish(new GenerationEvent.Embedding(sequence.Report!.Mean(pooling == Pooling.Mean ? sequence.Computed : 1)));
            if (sequence.Known.Length == sequence.LengthLimit)
                End(generation, pooling == Pooling.None ? FinishReason.Length : FinishReason.Stop);
            else if (scheduler.Fork(sequence, out var forks))
                foreach (var fork in forks) copies.Add(sequence.Tables, fork.Tables);
        }
    }

    /// <summary>Appends and reports what was sampled.</summary>
    public void Choices(List<Choice> choices)
    {
        foreach (var choice in choices)
        {
            if (choice.Error is { } error) Fail(choice.Sequence, error);
            else if (choice.Sequence.State != SequenceState.Finished) Take(choice.Sequence, choice.Sampled, choice.Guessed);
        }
    }

    /// <summary>Takes a generation in.</summary>
    public void Enter(Generation generation)
    {
        generation.Entered = true;
        _live.Add(generation);
    }

    /// <summary>Notes that a generation has its first step.</summary>
    public void Started(Generation generation)
    {
        generation.Started = true;
        door.Leave(generation.Request);
        metrics.Started(_clock.GetElapsedTime(generation.Submitted));
    }

    /// <summary>Ends a sequence that could not go on.</summary>
    public void Fail(Sequence sequence, string error)
    {
        if (sequence.State == SequenceState.Finished) return;
        EngineLog.SequenceFailed(diagnostics.Logger, error);
        // Forks that wait for this sequence's prompt have nothing to begin from.
        if (sequence.Forks.Length > 0) End(sequence.Generation!, FinishReason.Failed, error);
        else Finish(sequence, new(sequence.Choice, FinishReason.Failed) { Error = error });
    }

    /// <summary>Ends all choices of a generation that still go on.</summary>
    public void End(Generation generation, FinishReason reason, string? error = null)
    {
        foreach (var sequence in generation.Sequences)
            if (sequence.State != SequenceState.Finished) Finish(sequence, new(sequence.Choice, reason) { Error = error });
    }

    /// <summary>Ends everything that still goes on.</summary>
    public void EndAll(FinishReason reason, string? error)
    {
        foreach (var generation in _live.ToArray()) End(generation, reason, error);
    }

    /// <summary>Ends the choices whose caller has seen enough.</summary>
    public void EndStopped(Generation generation)
    {
        foreach (var sequence in generation.Sequences)
            if (generation.IsStopped(sequence.Choice) && sequence.PromptPublished && sequence.State != SequenceState.Finished)
                Finish(sequence, new(sequence.Choice, FinishReason.Stop));
    }

    void Take(Sequence sequence, SampledToken sampled, bool guessed)
    {
        Tokens++;
        Time(sequence);
        if (sequence.Sampling.StopTokenIds.AsSpan().Contains(sampled.Id))
        {
            Finish(sequence, new(sequence.Choice, FinishReason.Stop) { StopToken = sampled.Id });
            return;
        }

        if (!guessed) sequence.Append(sampled.Id);
        sequence.Generation!.Publish(new GenerationEvent.Token(sequence.Choice, sampled) { Guessed = guessed });
        if (sequence.Generation.IsStopped(sequence.Choice) || sequence.Constraint is { Ended: true }) Finish(sequence, new(sequence.Choice, FinishReason.Stop));
        else if (sequence.Known.Length == sequence.LengthLimit) Finish(sequence, new(sequence.Choice, FinishReason.Length));
    }

    void Time(Sequence sequence)
    {
        var now = _clock.GetTimestamp();
        if (sequence.History.Generated > 0) metrics.NextToken(_clock.GetElapsedTime(sequence.LastToken, now));
        else
        {
            sequence.FirstToken = now;
            metrics.FirstToken(_clock.GetElapsedTime(sequence.Generation!.Submitted, now));
        }

        sequence.LastToken = now;
    }

    void Finish(Sequence sequence, GenerationEvent.Finished end)
    {
        scheduler.Finish(sequence);
        var generation = sequence.Generation!;
        if (!generation.Started)
        {
            generation.Started = true;
            door.Leave(generation.Request);
        }

        if (generation.Request.Pooling == Pooling.None) pace.Answered(sequence.Known.Length - sequence.Request.Prompt.Length);
        var later = sequence.Known.Length - sequence.Request.Prompt.Length - 1;
        var between = _clock.GetElapsedTime(sequence.FirstToken, sequence.LastToken);
        metrics.Finished(Reasons[(int)end.Reason], _clock.GetElapsedTime(generation.Submitted), later > 0 ? between / later : null);
        generation.Publish(end);
        if (generation.Unfinished == 0) _live.Remove(generation);
    }
}
