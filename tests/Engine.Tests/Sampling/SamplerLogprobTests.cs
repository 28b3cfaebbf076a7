using System.Collections.Frozen;
using Serving.Sampling;

namespace Serving.Tests;

/// <summary>Log-probabilities are those of the raw logits, whatever is done to pick the token.</summary>
public sealed class SamplerLogprobTests
{
    readonly Sampler _sampler = new();

    [Theory]
    [InlineData(1, 50, 5)]
    [InlineData(2, 3001, 20)]
    [InlineData(3, 4, 20)]
    public void They_are_the_log_softmax_of_the_raw_row(int seed, int vocabulary, int alternatives)
    {
        var random = new Random(seed);
        for (var i = 0; i < 20; i++)
        {
            var row = Rows.Random(random, vocabulary);
            row[0] = 1;
            var best = row.Max();
            var logTotal = best + Math.Log(row.Sum(x => Math.Exp((double)x - best)));
            var sampled = _sampler.Sample(row, new() { Logprobs = alternatives, Seed = i, Temperature = 1.7f }, Rows.Empty);
            var expected = Enumerable.Range(0, vocabulary).OrderByDescending(id => row[id]).ThenBy(id => id).Take(alternatives).ToList();
            if (!expected.Contains(sampled.Id))
                expected.Add(sampled.Id);
            Assert.Equal(expected, sampled.Alternatives.Select(a => a.Id));
            Assert.Equal(row[sampled.Id] - logTotal, sampled.Logprob!.Value, 1e-5);
            foreach (var (id, logprob) in sampled.Alternatives)
                Assert.Equal(row[id] == float.NegativeInfinity ? double.NegativeInfinity : row[id] - logTotal, logprob, 1e-5);
        }
    }

    [Fact]
    public void Bias_masks_penalties_and_temperature_do_not_touch_them()
    {
        var row = Rows.OfProbabilities(0.6, 0.3, 0.1);
        var options = new SamplingOptions
        {
            Temperature = 0.1f,
            Logprobs = 1,
            BannedTokenIds = [0],
            RepetitionPenalty = 3,
            LogitBias = new Dictionary<int, float> { [2] = 50 }.ToFrozenDictionary(),
        };
        var sampled = _sampler.Sample(row, options, new([1]));
        Assert.Equal(2, sampled.Id);
        Assert.Equal(Math.Log(0.1), sampled.Logprob!.Value, 1e-6);
        Assert.Equal([0, 2], sampled.Alternatives.Select(a => a.Id));
        Assert.Equal(Math.Log(0.6), sampled.Alternatives[0].Logprob, 1e-6);
    }

    [Fact]
    public void Only_what_is_asked_for_is_there()
    {
        float[] row = [1, 2];
        Assert.Null(_sampler.Sample(row, new(), Rows.Empty).Logprob);
        var alone = _sampler.Sample(row, new() { Logprobs = 0 }, Rows.Empty);
        Assert.NotNull(alone.Logprob);
        Assert.Empty(alone.Alternatives);
        Assert.Equal(0f, _sampler.Sample([1000, -1000], new() { Temperature = 0, Logprobs = 0 }, Rows.Empty).Logprob);
        Assert.Empty(_sampler.Sample([float.NaN], new() { Logprobs = 3 }, Rows.Empty).Alternatives);
    }
}
