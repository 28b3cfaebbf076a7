using Serving.Model;
using Serving.Sampling;
using Serving.Scheduling;

namespace Serving;

/// <summary>What a step has chosen for a sequence: a token, which may have been guessed, or the reason why there is none.</summary>
readonly record struct Choice(Sequence Sequence, SampledToken Sampled, string? Error, bool Guessed = false);

/// <summary>Reads what a computed step's sequences want of it: next tokens, scores of prompt tokens, hidden states.</summary>
sealed class StepSampler(IDecoder decoder)
{
    readonly Sampler _sampler = new();
    readonly List<Choice> _choices = [];
    readonly List<(Sequence Sequence, int Position)> _wanted = [];
    readonly int[] _rows = new int[decoder.LogitRows];
    readonly float[] _hidden = new float[decoder.HiddenSize];

    /// <summary>
    /// Samples every sequence whose known tokens are all computed by the step, and its forks, in the order of the step. Behind guesses every
    /// row is sampled as if they were known, up to the first that another token was chosen for: so the same is said with guesses and without.
    /// </summary>
    public List<Choice> Sample(StepBatch step)
    {
        _choices.Clear();
        var first = 0;
        foreach (var sequence in step.Sequences)
        {
            for (var row = 0; row < sequence.Rows; row++) Want(sequence, sequence.Computed + row, first + row);
            first += sequence.Rows;
        }

        Flush();
        return _choices;
    }

    void Want(Sequence sequence, int position, int row)
    {
        var last = position + 1 >= sequence.Settled;
        var request = sequence.Request;
        var pooled = request.Pooling == Pooling.Mean || (last && request.Pooling == Pooling.Last);
        if (pooled && sequence.Report is { } report)
        {
            decoder.Hidden(row, _hidden);
            report.Add(_hidden);
        }

        var scored = request.PromptLogprobs is not null && !sequence.PromptPublished;
        if (last ? sequence.Known.Length == sequence.LengthLimit : !scored) return;
        _rows[_wanted.Count] = row;
        _wanted.Add((sequence, position));
        if (_wanted.Count == _rows.Length) Flush();
    }

    void Flush()
    {
        if (_wanted.Count == 0) return;
        var logits = decoder.Logits(_rows.AsSpan(0, _wanted.Count));
        for (var i = 0; i < _wanted.Count; i++)
        {
            var (sequence, position) = _wanted[i];
            var row = logits.Slice(i * decoder.VocabularySize, decoder.VocabularySize);
            if (position + 1 < sequence.Settled)
                sequence.Report!.Add(_sampler.Score(row, sequence.Known[position + 1], sequence.Request.PromptLogprobs!.Value));
            else if (position + 1 == sequence.Settled)
                Choose(row, sequence);
        }

        _wanted.Clear();
    }

    void Choose(ReadOnlySpan<float> row, Sequence sequence)
    {
        var choice = Choose(row, sequence, sequence.History);
        if (sequence.Drafted > 0 && choice.Error is null && choice.Sampled.Id == sequence.Known[sequence.Settled] && sequence.Constraint is not { Ended: true })
        {
            choice = choice with { Guessed = true };
            sequence.Confirm();
        }

        _choices.Add(choice);
        foreach (var fork in sequence.Forks) _choices.Add(Choose(row, fork, sequence.History));
    }

    Choice Choose(ReadOnlySpan<float> row, Sequence sequence, TokenHistory history)
    {
        var last = history.Position - 1;
        try
        {
            var sampled = _sampler.Sample(row, sequence.Sampling, history, sequence.Constraint);
            return new(sequence, sampled, sampled.Outcome switch
            {
                SampleOutcome.Chosen when sequence.Constraint?.Accept(sampled.Id) == false =>
                    $"The constraint allowed token {sampled.Id} and then refused it.",
                SampleOutcome.Chosen => null,
                SampleOutcome.NothingAllowed =>
                    $"No token may come after position {last}: masks, bans and the constraint together exclude the whole vocabulary.",
                _ => $"The logits after position {last} hold values that are no numbers: the model or its cache is damaged.",
            });
        }
        catch (Exception exception) when (sequence.Constraint is not null)
        {
            return new(sequence, default, $"The constraint failed after position {last}: {exception.Message}");
        }
    }
}
