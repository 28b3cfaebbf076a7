using System.Collections.Frozen;
using System.Runtime.Intrinsics;
using Serving.Sampling;

namespace Serving.Tests;

/// <summary>The random numbers, the exponential under the weights, the frequencies of draws, and that nothing is allocated.</summary>
public sealed class SamplerDrawTests
{
    readonly Sampler _sampler = new();

    // Known answers published with Random123 (Salmon et al. 2011).
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Philox_gives_the_published_words(
        uint a, uint b, uint c, uint d, uint low, uint high, uint x, uint y, uint z, uint w) =>
        Assert.Equal((x, y, z, w), Philox.Block((a, b, c, d), (low, high)));

    [Fact]
    public void A_draw_depends_on_seed_and_position_alone()
    {
        var row = Rows.Random(new Random(11), 2000);
        var options = new SamplingOptions { Seed = -5, TopP = 0.95f };
        var fresh = new Sampler().Sample(row, options, new TokenHistory([1, 2, 3]));
        var other = new TokenHistory([7]);
        other.Add(8);
        other.Add(9);
        _sampler.Sample(new float[5000], options with { TopK = 3 }, Rows.Empty);
        Assert.Equal(fresh.Id, _sampler.Sample(row, options, other).Id);
        Assert.Equal(40, Enumerable.Range(0, 40).Select(p => Philox.Uniform(-5, p)).Distinct().Count());
        Assert.NotEqual(Philox.Uniform(1, 1L << 32), Philox.Uniform(1, 0));
        Assert.NotEqual(Philox.Uniform(1L << 32, 1), Philox.Uniform(0, 1));
    }

    [Fact]
    public void Frequencies_follow_the_probabilities()
    {
        const int Draws = 100_000;
        double[] probabilities = [0.02, 0.5, 0.08, 0.4];
        var row = Rows.OfProbabilities(probabilities);
        SamplingOptions[] ways = [new() { Seed = 42 }, new() { Seed = 43, TopK = 3 }, new() { Seed = 44, TopP = 0.97f }];
        foreach (var options in ways)
        {
            var counts = new int[row.Length];
            var history = new TokenHistory([]);
            for (var i = 0; i < Draws; i++)
            {
                counts[_sampler.Sample(row, options, history).Id]++;
                history.Add(1);
            }

            var kept = counts[0] == 0 ? 0.98 : 1;
            var chi = probabilities.Select((p, id) => (Expected: p / kept * Draws, Seen: counts[id]))
                .Where(t => t.Seen > 0).Sum(t => Math.Pow(t.Seen - t.Expected, 2) / t.Expected);
            Assert.True(chi < 16.3, $"chi squared {chi} of 3 degrees of freedom, above its 0.999 quantile: {string.Join(", ", counts)}");
            Assert.Equal(options == ways[0], counts[0] > 0);
        }
    }

    [Fact]
    public void The_exponential_is_within_two_units_in_the_last_place()
    {
        for (var x = 0f; x > -86; x -= 0.00137f)
        {
            var exact = Math.Exp(x);
            var relative = Math.Abs(RowWeights.Exp(Vector512.Create(x))[0] - exact) / exact;
            Assert.True(relative < 2.4e-7, $"exp({x}) is off by {relative}");
        }

        Assert.Equal(1f, RowWeights.Exp(Vector512<float>.Zero)[0]);
        Assert.InRange(RowWeights.Exp(Vector512.Create(float.NegativeInfinity))[3], 0, 1e-37f);
    }

    [Fact]
    public void Sums_for_a_draw_are_exact_in_any_order()
    {
        var row = Rows.Random(new Random(5), 10_001);
        var weighing = Weighing.ForDraw(row.Max(), 1.3f, float.MinValue);
        var weights = new double[row.Length];
        RowWeights.Fill(row, weighing, weights);
        var sum = RowWeights.Sum(row, weighing);
        Assert.Equal(sum, weights.Sum());
        new Random(6).Shuffle(weights);
        Assert.Equal(sum, weights.Sum());
    }

    [Fact]
    public void Nothing_is_allocated_after_the_first_row()
    {
        var row = Rows.Random(new Random(3), 4099);
        var history = new TokenHistory([1, 2, 3, 3]);
        var constraint = new AllowOnly([.. Enumerable.Range(0, 4000)]);
        var edits = new SamplingOptions
        {
            RepetitionPenalty = 1.1f,
            PresencePenalty = 1,
            MinTokens = 5,
            StopTokenIds = [1],
            AllowedTokenIds = [.. Enumerable.Range(2, 3000)],
            LogitBias = new Dictionary<int, float> { [9] = 1 }.ToFrozenDictionary(),
        };
        SamplingOptions[] ways =
        [
            new() { Temperature = 0 }, new(), new() { TopP = 0.9f }, new() { TopK = 40, TopP = 0.9f, Temperature = 0.7f },
            new() { TypicalP = 0.5f, MinP = 0.001f }, edits,
        ];
        Assert.Equal(0, Allocated(() => Run(1)));

        long Allocated(Action run)
        {
            Run(3);
            history.Remove([7, 7, 7]);
            var before = GC.GetAllocatedBytesForCurrentThread();
            run();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        void Run(int times)
        {
            for (var i = 0; i < times; i++)
            {
                foreach (var options in ways)
                    _sampler.Sample(row, options, history, ReferenceEquals(options, edits) ? constraint : null);
                history.Add(7);
            }
        }
    }
}
