using System.Collections.Frozen;
using Serving.Sampling;

namespace Serving.Tests;

/// <summary>The sampler against the naive one, over random rows, histories, masks and options.</summary>
public sealed class SamplerAgreementTests
{
    const int DrawsPerCase = 40;

    readonly Sampler _sampler = new();
    int _compared;
    int _unclear;

    [Theory]
    [InlineData(1, 1, 40)]
    [InlineData(2, 3, 300)]
    [InlineData(3, 17, 300)]
    [InlineData(4, 64, 300)]
    [InlineData(5, 100, 300)]
    [InlineData(6, 1500, 60)]
    [InlineData(7, 5003, 30)]
    public void Draws_are_those_of_the_definition(int seed, int vocabulary, int cases)
    {
        var random = new Random(seed);
        for (var i = 0; i < cases; i++)
            Compare(random, vocabulary, $"seed {seed}, vocabulary {vocabulary}, case {i}");
        Assert.True(_compared > 2 * _unclear, $"{_unclear} cases or draws too near a boundary, only {_compared} compared");
    }

    void Compare(Random random, int vocabulary, string label)
    {
        var row = Rows.Random(random, vocabulary);
        var options = Options(random, vocabulary);
        var prompt = Ids(random, vocabulary, 5);
        var generated = Ids(random, vocabulary, 5);
        var allowed = random.Next(4) == 0 ? Ids(random, vocabulary, vocabulary).Append(0).ToArray() : null;
        var history = new TokenHistory(prompt);
        foreach (var token in generated)
            history.Add(token);
        var constraint = allowed is null ? null : new AllowOnly(allowed);
        var naive = new NaiveSampler(options, prompt, generated, id => allowed?.Contains(id) ?? true);
        var kept = naive.Keep(row);
        if (naive.Unclear)
            _unclear += DrawsPerCase;
        for (var draw = 0; draw < DrawsPerCase && !naive.Unclear; draw++)
        {
            var drawn = _sampler.Sample(row, options with { Seed = draw }, history, constraint);
            var expected = kept.Count == 1 ? kept[0].Id : NaiveSampler.Draw(kept, Philox.Uniform(draw, history.Position));
            if (kept.Count == 0)
                Assert.Equal(SampleOutcome.NothingAllowed, drawn.Outcome);
            else if (expected is { } id)
                Assert.True(drawn.Id == id, $"{label}: {drawn.Id}, the definition gives {id} of {kept.Count} tokens; {options}");
            _ = expected is null && kept.Count > 0 ? _unclear++ : _compared++;
        }
    }

    /// <summary>Options of every kind, and histories of some tokens, at random.</summary>
    internal static SamplingOptions Options(Random random, int vocabulary) => new SamplingOptions
    {
        Temperature = Pick(random, 1, 0.7f, 0, 1e-4f, 2, 1e6f, (float)random.NextDouble() * 2),
        TopK = random.Next(2) == 0 ? 0 : random.Next(-1, Math.Max(3, vocabulary)),
        TopP = Pick(random, 1, 1, 0, 0.9f, (float)random.NextDouble(), 0.999f),
        MinP = Pick(random, 0, 0, 0, 0.05f, 1, (float)random.NextDouble()),
        TypicalP = Pick(random, 1, 1, 1, 0, (float)random.NextDouble()),
        RepetitionPenalty = Pick(random, 1, 1, 1.3f, 0.8f),
        PresencePenalty = Pick(random, 0, 0, 1.5f, -0.7f),
        FrequencyPenalty = Pick(random, 0, 0, 0.6f, -0.4f),
        LogitBias = random.Next(3) > 0 ? FrozenDictionary<int, float>.Empty : Bias(random, vocabulary),
        MinTokens = random.Next(8),
        StopTokenIds = [.. Ids(random, vocabulary, 3)],
        BannedTokenIds = [.. Ids(random, vocabulary, 3)],
        AllowedTokenIds = random.Next(5) > 0 ? null : [random.Next(vocabulary), .. Ids(random, vocabulary, vocabulary - 1)],
    }.Checked(vocabulary);

    static FrozenDictionary<int, float> Bias(Random random, int vocabulary) =>
        Ids(random, vocabulary, 4).Distinct().ToFrozenDictionary(id => id, _ => random.Next(-100, 101) / 10f);

    internal static int[] Ids(Random random, int vocabulary, int most) =>
        [.. Enumerable.Range(0, random.Next(Math.Min(most, vocabulary) + 1)).Select(_ => random.Next(vocabulary))];

    static float Pick(Random random, params float[] values) => values[random.Next(values.Length)];
}
