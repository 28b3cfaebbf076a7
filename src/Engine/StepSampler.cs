using Serving.Devices;
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
    readonly AskedChoices? _asked = decoder.Chooses ? new(decoder) : null;

    /// <summary>
    /// Samples every sequence whose known tokens are all computed by the step, and its forks. Behind guesses every row is sampled as if they
    /// were known, up to the first that another token was chosen for: so the same is said with guesses and without. Where the decoder chooses
    /// tokens, it is asked for all that it can choose at once, and the logits of the other sequences alone are read.
    /// </summary>
    public List<Choice> Sample(StepBatch step)
    {
        _choices.Clear();
        _asked?.Clear();
        var first = 0;
        foreach (var sequence in step.Sequences)
        {
            var asked = _asked?.TryAsk(sequence, first) == true;
            for (var row = 0; row < sequence.Rows; row++) Want(sequence, sequence.Computed + row, first + row, asked);
            first += sequence.Rows;
        }

        Flush();
        if (_asked is { } asks) Answer(asks);
        return _choices;
    }

    void Want(Sequence sequence, int position, int row, bool asked)
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
        if (last ? asked || sequence.Known.Length == sequence.LengthLimit : !scored) return;
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
        Take(sequence, Choose(row, sequence, sequence.History));
        foreach (var fork in sequence.Forks) _choices.Add(Choose(row, fork, sequence.History));
    }

    Choice Choose(ReadOnlySpan<float> row, Sequence sequence, TokenHistory history)
    {
        var last = history.Position - 1;
        try
        {
            return Judged(sequence, _sampler.Sample(row, sequence.Sampling, history, sequence.Constraint), last);
        }
        catch (Exception exception) when (sequence.Constraint is not null)
        {
            return Broken(sequence, last, exception);
        }
    }

    void Answer(AskedChoices asked)
    {
        asked.Choose();
        for (var i = 0; i < asked.Count; i++)
        {
            var (sequence, lead, position, sampled) = asked[i];
            if (sequence != lead) _choices.Add(Judged(sequence, sampled, position));
            else if (position + 1 == sequence.Settled) Take(sequence, Judged(sequence, sampled, position));
        }
    }

    void Take(Sequence sequence, Choice choice)
    {
        if (sequence.Drafted > 0 && choice.Error is null && choice.Sampled.Id == sequence.Known[sequence.Settled] && sequence.Constraint is not { Ended: true })
        {
            choice = choice with { Guessed = true };
            sequence.Confirm();
        }

        _choices.Add(choice);
    }

    static Choice Judged(Sequence sequence, SampledToken sampled, long last)
    {
        try
        {
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
            return Broken(sequence, last, exception);
        }
    }

    static Choice Broken(Sequence sequence, long last, Exception exception) =>
        new(sequence, default, $"The constraint failed after position {last}: {exception.Message}");
}

/// <summary>
/// The choices of a step that the decoder is asked for. Whoever wants log-probabilities or typical tokens is not among them: for these the
/// host reads the logits.
/// </summary>
sealed class AskedChoices(IDecoder decoder)
{
    readonly ChoiceBatch _batch = new();
    readonly DeviceTerms _terms = new(decoder.VocabularySize);
    readonly List<(Sequence Sequence, Sequence Lead, int Position, int Index)> _asked = [];
    int[] _chosen = [];

    /// <summary>How many there are.</summary>
    public int Count => _asked.Count;

    /// <summary>A choice after <see cref="Choose"/>: for whom, whose row it is made from, that row's position, and the outcome.</summary>
    public (Sequence Sequence, Sequence Lead, int Position, SampledToken Sampled) this[int choice]
    {
        get
        {
            var (sequence, lead, position, index) = _asked[choice];
            return (sequence, lead, position, _chosen[index] switch
            {
                ChoiceBatch.NothingAllowed => SampledToken.Failed(SampleOutcome.NothingAllowed),
                ChoiceBatch.NotFinite => SampledToken.Failed(SampleOutcome.NotFinite),
                var id => SampledToken.Chosen(id),
            });
        }
    }

    /// <summary>Begins a step.</summary>
    public void Clear()
    {
        _batch.Clear();
        _asked.Clear();
    }

    /// <summary>
    /// Adds the choices of a sequence whose rows begin at a row of the step, each as if the guesses before it were known; false where the host
    /// must choose, or nothing is to be chosen.
    /// </summary>
    public bool TryAsk(Sequence sequence, int firstRow)
    {
        var end = sequence.Computed + sequence.Rows;
        if (end < sequence.Settled || sequence.Known.Length == sequence.LengthLimit || !CanBeAsked(sequence)) return false;
        var first = _asked.Count;
        try
        {
            Ask(sequence, firstRow - sequence.Computed, end);
            return true;
        }
        catch (Exception) when (sequence.Constraint is not null)
        {
            // The host meets the same fault, and tells of it.
            _asked.RemoveRange(first, _asked.Count - first);
            return false;
        }
    }

    /// <summary>Has all choices made.</summary>
    public void Choose()
    {
        if (_asked.Count == 0) return;
        if (_chosen.Length < _batch.Terms.Length) _chosen = new int[Math.Max(64, 2 * _batch.Terms.Length)];
        decoder.Choose(_batch, _chosen.AsSpan(0, _batch.Terms.Length));
    }

    static bool CanBeAsked(Sequence sequence) =>
        sequence.Sampling.Logprobs is null && (sequence.Sampling.TypicalP == 1 || sequence.Sampling.IsGreedy)
        && (sequence.Drafted == 0 || sequence.Forks.Length == 0);

    void Ask(Sequence sequence, int rowOfFirst, int end)
    {
        var (constraint, said, accepted) = (sequence.Constraint, 0, 0);
        try
        {
            for (var position = sequence.Settled - 1; position < end; position++)
            {
                if (position >= sequence.Settled)
                {
                    // What the constraint refuses is not chosen, and where it ends nothing follows.
                    if (constraint?.Accept(sequence.Known[position]) == false) break;
                    accepted++;
                    if (constraint is { Ended: true }) break;
                    sequence.History.Add(sequence.Known[position]);
                    said++;
                }

                _batch.AddRow(rowOfFirst + position);
                Ask(sequence, sequence, position);
                foreach (var fork in sequence.Forks) Ask(fork, sequence, position);
            }
        }
        finally
        {
            if (said > 0) sequence.History.Remove(sequence.Known.Slice(sequence.Settled, said));
            if (accepted > 0) constraint?.Rollback(accepted);
        }
    }

    void Ask(Sequence sequence, Sequence lead, int position) =>
        _asked.Add((sequence, lead, position, _terms.Add(_batch, sequence.Sampling, lead.History, sequence.Constraint)));
}

/// <summary>What the sampler is told of a choice, as a device is told it.</summary>
/// <param name="vocabulary">Logits of a row.</param>
sealed class DeviceTerms(int vocabulary)
{
    readonly LogitEdits _edits = new();

    /// <summary>Adds a choice from the batch's last row and returns its index; what the constraint throws leaves the batch as it was.</summary>
    public int Add(ChoiceBatch batch, SamplingOptions options, TokenHistory history, ITokenConstraint? constraint)
    {
        var mask = -1;
        if (constraint is not null || options.AllowedTokenIds is not null)
        {
            _edits.Reserve(vocabulary);
            mask = batch.AddMask(_edits.AllowedMask(vocabulary, options, constraint));
        }

        foreach (var (id, bias) in options.LogitBias) batch.AddBias(id, bias);
        batch.AddBans(options.BannedTokenIds.AsSpan());
        if (LogitEdits.StopsAreMasked(options, history)) batch.AddBans(options.StopTokenIds.AsSpan());
        var repeats = options.RepetitionPenalty != 1;
        if (repeats || (LogitEdits.HasGeneratedPenalty(options) && history.Generated > 0))
            foreach (var (id, count) in history.Counts)
                if (count.Generated > 0 || (repeats && count.Prompt > 0)) batch.AddCount(id, count.Generated);
        return batch.Add(new()
        {
            Least = options.Temperature * Math.Log(options.MinP),
            Uniform = Philox.Uniform(options.Seed, history.Position),
            InverseTemperature = Math.Min(1 / options.Temperature, float.MaxValue),
            TopP = options.TopP,
            Repetition = options.RepetitionPenalty,
            Presence = options.PresencePenalty,
            Frequency = options.FrequencyPenalty,
            TopK = options.IsGreedy ? 1 : Math.Max(0, options.TopK),
            Mask = mask,
        });
    }
}
