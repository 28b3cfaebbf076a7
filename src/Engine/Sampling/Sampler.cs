using System.Collections.Immutable;

namespace Serving.Sampling;

/// <summary>
/// Picks a token from a row of logits: bias and masks, repetition, presence and frequency penalties, temperature, then min_p, top_k,
/// typical_p and top_p, then a draw that is a function of seed and position. Equal logits rank by ascending id everywhere.
/// Holds the scratch memory of one thread: nothing is allocated once it has seen a row of the greatest length, log-probabilities excepted.
/// </summary>
public sealed class Sampler
{
    const int DrawChunk = 1024;

    readonly LogitEdits _edits = new();
    readonly Candidates _candidates = new();
    readonly double[] _chunkWeights = new double[DrawChunk];
    double[] _chunkSums = [];
    float[] _edited = [];

    /// <summary>
    /// Picks the token at history.Position. The row is left as it is; negative infinity in it is a masked token, and any NaN or positive
    /// infinity fails the row, even at a masked token. The history and the constraint are read, not advanced: the caller does that with
    /// the token it keeps. The options are taken as checked; ids past the row are ignored. A row over 524,288 tokens throws ArgumentException.
    /// </summary>
    public SampledToken Sample(
        ReadOnlySpan<float> logits, SamplingOptions options, TokenHistory history, ITokenConstraint? constraint = null)
    {
        Reserve(logits.Length);
        var given = RowPeak.Of(logits);
        if (given.Outcome != SampleOutcome.Chosen)
            return SampledToken.Failed(given.Outcome);
        var row = logits;
        var peak = given;
        if (LogitEdits.Wanted(options, history, constraint))
        {
            var edited = _edited.AsSpan(0, logits.Length);
            logits.CopyTo(edited);
            _edits.Apply(edited, options, history, constraint);
            row = edited;
            peak = RowPeak.Of(edited);
            if (peak.Outcome != SampleOutcome.Chosen)
                return SampledToken.Failed(peak.Outcome);
        }

        var id = options.IsGreedy ? peak.Id : Draw(row, peak.Value, options, Philox.Uniform(options.Seed, history.Position));
        return options.Logprobs is { } alternatives ? WithLogprobs(logits, given.Value, id, alternatives) : SampledToken.Chosen(id);
    }

    /// <summary>
    /// The log-probabilities of a token that is given, as of one of a prompt, with this many alternatives. The row is left as it is; one
    /// with a NaN or a positive infinity fails as in <see cref="Sample"/>.
    /// </summary>
    public SampledToken Score(ReadOnlySpan<float> logits, int token, int alternatives)
    {
        Reserve(logits.Length);
        var peak = RowPeak.Of(logits);
        return peak.Outcome == SampleOutcome.Chosen ? WithLogprobs(logits, peak.Value, token, alternatives) : SampledToken.Failed(peak.Outcome);
    }

    int Draw(ReadOnlySpan<float> row, float peak, SamplingOptions options, double uniform)
    {
        // min_p in terms of logits: p >= m * best is x >= peak + T ln m, and the finite floor drops masked tokens.
        var least = (float)(peak + options.Temperature * Math.Log(options.MinP));
        var weighing = Weighing.ForDraw(peak, options.Temperature, Math.Clamp(least, float.MinValue, peak));
        var keepsAll = options.TopK <= 0 || options.TopK >= row.Length;
        if (keepsAll && options.TypicalP == 1)
            return options.TopP == 1 ? DrawFromRow(row, weighing, uniform) : DrawNucleus(row, weighing, options.TopP, uniform);
        _candidates.Take(row, keepsAll ? row.Length : options.TopK, weighing.Floor);
        _candidates.Weigh(weighing);
        if (options.TypicalP < 1)
            _candidates.KeepTypical(options.TypicalP, weighing);
        if (options.TopP < 1)
            _candidates.KeepLikely(Math.Max(options.TopP * _candidates.Total, double.Epsilon));
        return _candidates.Draw(uniform);
    }

    int DrawFromRow(ReadOnlySpan<float> row, in Weighing weighing, double uniform)
    {
        var sums = _chunkSums.AsSpan(0, (row.Length + DrawChunk - 1) / DrawChunk);
        var total = 0.0;
        for (var i = 0; i < sums.Length; i++)
            total += sums[i] = RowWeights.Sum(Chunk(row, i), weighing);
        var index = Candidates.Position(sums, 0, uniform * total);
        var before = 0.0;
        foreach (var sum in sums[..index])
            before += sum;
        var chunk = Chunk(row, index);
        RowWeights.Fill(chunk, weighing, _chunkWeights);
        return index * DrawChunk + Candidates.Position(_chunkWeights.AsSpan(0, chunk.Length), before, uniform * total);
    }

    static ReadOnlySpan<float> Chunk(ReadOnlySpan<float> row, int index) =>
        row.Slice(index * DrawChunk, Math.Min(DrawChunk, row.Length - index * DrawChunk));

    int DrawNucleus(ReadOnlySpan<float> row, in Weighing weighing, float topP, double uniform)
    {
        var total = RowWeights.Sum(row, weighing);
        var target = Math.Max(topP * total, double.Epsilon);
        // All tokens lighter than the left-out mass spread evenly over the row weigh less than it together: the nucleus is among the
        // others. A tenth off covers rounding; where the grain drowns that, the second round takes every token.
        var light = (1.0 - topP) * total / row.Length * 0.9;
        var floor = (float)(weighing.Peak + Math.Log(light) / weighing.InverseTemperature);
        _candidates.Take(row, row.Length, Math.Clamp(floor, weighing.Floor, weighing.Peak));
        _candidates.Weigh(weighing);
        if (_candidates.Total < target)
        {
            _candidates.Take(row, row.Length, weighing.Floor);
            _candidates.Weigh(weighing);
        }

        _candidates.KeepLikely(target);
        return _candidates.Draw(uniform);
    }

    SampledToken WithLogprobs(ReadOnlySpan<float> logits, float peak, int id, int alternatives)
    {
        var logTotal = Math.Log(RowWeights.Sum(logits, Weighing.ForLogprobs(peak)));
        var chosen = new TokenLogprob(id, Logprob(logits[id]));
        if (alternatives == 0)
            return SampledToken.Chosen(id) with { Logprob = chosen.Logprob };
        _candidates.Take(logits, alternatives, float.NegativeInfinity);
        _candidates.Rank();
        var listed = ImmutableArray.CreateBuilder<TokenLogprob>(_candidates.Count + 1);
        foreach (var best in _candidates.Ids)
            listed.Add(new(best, Logprob(logits[best])));
        if (!listed.Contains(chosen))
            listed.Add(chosen);
        return SampledToken.Chosen(id) with { Logprob = chosen.Logprob, Alternatives = listed.DrainToImmutable() };

        float Logprob(float logit) => (float)(logit - (double)peak - logTotal);
    }

    void Reserve(int vocabulary)
    {
        if (vocabulary > Weighing.MaxVocabulary)
            throw new ArgumentException($"A row of {vocabulary} logits cannot be sampled; {Weighing.MaxVocabulary} is the most.", nameof(vocabulary));
        if (_edited.Length >= vocabulary)
            return;
        _edited = new float[vocabulary];
        _chunkSums = new double[(vocabulary + DrawChunk - 1) / DrawChunk];
        _edits.Reserve(vocabulary);
        _candidates.Reserve(vocabulary);
    }
}
