using Serving.Devices;
using Serving.Sampling;

namespace Serving.Tests;

/// <summary>
/// Tokens chosen on the device are the sampler's. Weights are the same numbers on both and sums of them are exact, so that this holds beside
/// every border of a cut or a draw too: no choice may differ.
/// </summary>
public sealed class CudaChoiceTests : IDisposable
{
    // As many rows of logits as a decoder makes at a time.
    const int Piece = 32;

    readonly CudaDevice _device = CudaEmulator.Device();
    readonly Sampler _sampler = new();

    [Theory]
    [InlineData(1, 1, 100)]
    [InlineData(2, 2, 300)]
    [InlineData(3, 17, 500)]
    [InlineData(4, 32, 300)]
    [InlineData(5, 33, 500)]
    [InlineData(6, 64, 300)]
    [InlineData(7, 127, 500)]
    [InlineData(8, 1000, 400)]
    [InlineData(9, 1537, 200)]
    [InlineData(10, 5003, 60)]
    public void They_are_the_samplers_for_every_setting(int seed, int vocabulary, int rows)
    {
        var (random, asked) = (new Random(seed), new Asked(vocabulary));
        for (var i = 0; i < Fixtures.Rounds(rows); i++)
        {
            asked.AddRow(Rows.Random(random, vocabulary));
            for (var choices = random.Next(1, 4); choices > 0; choices--)
            {
                var history = new TokenHistory(SamplerAgreementTests.Ids(random, vocabulary, 40));
                foreach (var token in SamplerAgreementTests.Ids(random, vocabulary, 40)) history.Add(token);
                var constraint = random.Next(4) > 0 ? null : new AllowOnly([random.Next(vocabulary), .. SamplerAgreementTests.Ids(random, vocabulary, vocabulary)]);
                asked.Add(SamplerAgreementTests.Options(random, vocabulary) with { TypicalP = 1, Seed = random.NextInt64() }, history, constraint);
            }
        }

        Agree(asked);
    }

    [Theory, InlineData(1), InlineData(40), InlineData(300)]
    public void They_are_the_samplers_where_numbers_are_extreme(int vocabulary)
    {
        var (random, asked) = (new Random(vocabulary), new Asked(vocabulary));
        for (var round = 0; round < Fixtures.Rounds(100); round++)
        {
            asked.AddRow(Extreme(random, vocabulary));
            foreach (var temperature in new[] { 0, float.Epsilon, 1e-30f, 1, 1e30f, float.MaxValue })
                asked.Add(new()
                {
                    Temperature = temperature,
                    TopK = random.Next(3) == 0 ? random.Next(1, 2 * vocabulary) : 0,
                    TopP = random.Next(4) switch { 0 => float.Epsilon, 1 => MathF.BitDecrement(1), 2 => random.NextSingle(), _ => 1 },
                    MinP = random.Next(3) switch { 0 => float.Epsilon, 1 => random.NextSingle(), _ => 0 },
                    RepetitionPenalty = random.Next(3) switch { 0 => float.MaxValue, 1 => float.Epsilon, _ => 1 },
                    BannedTokenIds = random.Next(8) == 0 ? [.. Enumerable.Range(0, vocabulary)] : [],
                    Seed = round,
                }, new([0, vocabulary / 2, vocabulary + 5]));
        }

        Agree(asked);
    }

    static float[] Extreme(Random random, int vocabulary)
    {
        var row = new float[vocabulary];
        var kind = random.Next(7);
        for (var i = 0; i < row.Length; i++)
            row[i] = kind switch
            {
                0 => float.NegativeInfinity,
                1 => random.Next(2) == 0 ? 0f : -0f,
                2 => (random.NextSingle() - 0.5f) * float.MaxValue,
                3 => (random.NextSingle() - 0.5f) * 100 * float.Epsilon,
                4 => 7,
                5 => -1e30f + random.Next(3) * 1e24f,
                _ => random.NextSingle(),
            };
        if (kind == 0 && random.Next(4) > 0) row[random.Next(row.Length)] = random.Next(3) - 1;
        foreach (var value in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
            if (random.Next(8) == 0) row[random.Next(row.Length)] = value;
        return row;
    }

    [Theory, InlineData(2), InlineData(3), InlineData(10), InlineData(64), InlineData(100), InlineData(1000)]
    public void Equal_tokens_are_cut_where_the_sampler_cuts_them(int vocabulary)
    {
        // Each border lies at a multiple of 1 / n: cuts there and a bit beside it.
        var asked = new Asked(vocabulary);
        asked.AddRow(new float[vocabulary]);
        for (var i = 1; i <= Math.Min(vocabulary, 50); i++)
        {
            var share = (float)i / vocabulary;
            foreach (var topP in new[] { MathF.BitDecrement(share), share, Math.Min(1, MathF.BitIncrement(share)) })
                asked.Add(new() { TopP = topP, TopK = i % 3 == 0 ? i : 0, MinP = i % 5 == 0 ? 1 : 0, Seed = i }, Rows.Empty);
        }

        Agree(asked);
    }

    [Fact]
    public void Draws_follow_the_distribution()
    {
        const int Draws = 20_000;
        double[] shares = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.03125];
        var asked = new Asked(shares.Length);
        asked.AddRow(Rows.OfProbabilities(shares));
        for (var seed = 0; seed < Draws; seed++) asked.Add(new() { Seed = seed }, Rows.Empty);
        var drawn = Choose(asked);
        // Chi-square with five degrees of freedom: one in a thousand passes 20.5.
        Assert.InRange(shares.Select((share, id) => Math.Pow(drawn.Count(token => token == id) - share * Draws, 2) / (share * Draws)).Sum(), 0, 20.5);
    }

    [Fact]
    public void The_least_weights_count_as_the_sampler_counts_them()
    {
        // A tail of 0.6 steps of 2^-34 a token, each of which rounds to a step. Evenly spread it is lighter than what top_p leaves out, and rounded
        // heavier: of 1,399 steps the best share keeps 375, which only a second search finds.
        const int Tokens = 1400, Kept = 375, Beyond = 100;
        const double Step = 1.0 / (1L << 34);
        var (batch, row) = (new ChoiceBatch(), new float[Tokens]);
        row.AsSpan(1).Fill((float)Math.Log(0.6 * Step));
        batch.AddRow(0);
        batch.Add(new()
        {
            Least = double.NegativeInfinity, InverseTemperature = 1, Repetition = 1, Mask = -1, TopP = MathF.BitDecrement(1), Uniform = 1 - (Beyond + 0.5) * Step,
        });
        var logits = Tensor.Matrix(_device.Allocate(Tokens * sizeof(float)), 1, Tokens);
        _device.Write(row, logits);
        _device.Choose(logits, batch, 0);
        var chosen = new int[1];
        _device.Chosen(chosen);
        Assert.Equal(Kept - Beyond, chosen[0]);
    }

    [Fact]
    public void What_does_not_fit_together_is_refused()
    {
        var asked = new Asked(4);
        asked.AddRow(new float[4]);
        asked.Add(new() { AllowedTokenIds = [1] }, Rows.Empty);
        var memory = _device.Allocate(1024);
        foreach (var logits in new[] { Tensor.Matrix(memory, 2, 4), Tensor.Matrix(memory, 1, ITokenChooser.MaxVocabulary + 1), new Tensor(memory, 1, 2, 2, 4, 2) })
            Assert.Contains("Cannot choose", Assert.Throws<ArgumentException>(() => _device.Choose(logits, asked.Batch, 0)).Message);
        Assert.Contains("masks", Assert.Throws<ArgumentException>(() => _device.Choose(Tensor.Matrix(memory, 1, 70), asked.Batch, 0)).Message);
    }

    void Agree(Asked asked)
    {
        var chosen = Choose(asked);
        for (var i = 0; i < chosen.Length; i++)
        {
            var (row, options, history, constraint) = asked.Choices[i];
            var sampled = _sampler.Sample(asked.Logits[row], options, history, constraint);
            var expected = sampled.Outcome switch
            {
                SampleOutcome.NothingAllowed => ChoiceBatch.NothingAllowed,
                SampleOutcome.NotFinite => ChoiceBatch.NotFinite,
                _ => sampled.Id,
            };
            Assert.True(expected == chosen[i], $"Choice {i} of {asked.Vocabulary} tokens is {chosen[i]}, the sampler's {expected}; {options}");
        }
    }

    int[] Choose(Asked asked)
    {
        var memory = _device.Allocate((long)Piece * asked.Vocabulary * sizeof(float));
        for (var first = 0; first < asked.Logits.Count; first += Piece)
        {
            var logits = Tensor.Matrix(memory, Math.Min(Piece, asked.Logits.Count - first), asked.Vocabulary);
            var given = asked.Logits.Skip(first).Take(logits.Rows).SelectMany(row => row).ToArray();
            _device.Write(given, logits);
            _device.Choose(logits, asked.Batch, first);
        }

        var chosen = new int[asked.Choices.Count];
        _device.Chosen(chosen);
        return chosen;
    }

    public void Dispose() => _device.Dispose();

    /// <summary>Rows of logits, what is to be chosen from each, and the batch that says so.</summary>
    sealed class Asked(int vocabulary)
    {
        readonly DeviceTerms _terms = new(vocabulary);

        public int Vocabulary => vocabulary;
        public ChoiceBatch Batch { get; } = new();
        public List<float[]> Logits { get; } = [];
        public List<(int Row, SamplingOptions Options, TokenHistory History, ITokenConstraint? Constraint)> Choices { get; } = [];

        public void AddRow(float[] row)
        {
            Batch.AddRow(Logits.Count);
            Logits.Add(row);
        }

        public void Add(SamplingOptions options, TokenHistory history, ITokenConstraint? constraint = null)
        {
            _terms.Add(Batch, options, history, constraint);
            Choices.Add((Logits.Count - 1, options, history, constraint));
        }
    }
}
