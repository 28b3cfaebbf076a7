using System.Collections.Frozen;
using Serving.Sampling;

namespace Serving.Tests;

/// <summary>Greedy choice, masks, penalties and broken rows.</summary>
public sealed class SamplerEditTests
{
    static readonly SamplingOptions Greedy = new() { Temperature = 0 };
    readonly Sampler _sampler = new();

    [Theory]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(517)]
    public void Greedy_takes_the_first_of_equals_wherever_it_stands(int length)
    {
        for (var first = 0; first < length; first++)
        {
            var row = new float[length];
            row.AsSpan(0, first).Fill(-1);
            if (first % 2 == 1)
                row[first] = -0f;
            Assert.Equal(first, _sampler.Sample(row, Greedy, Rows.Empty).Id);
        }
    }

    [Theory]
    [InlineData(float.NaN, SampleOutcome.NotFinite)]
    [InlineData(float.PositiveInfinity, SampleOutcome.NotFinite)]
    [InlineData(float.NegativeInfinity, SampleOutcome.Chosen)]
    public void A_broken_number_anywhere_fails_the_row(float broken, SampleOutcome outcome)
    {
        var negativeNaN = BitConverter.UInt32BitsToSingle(0xFFC00000);
        for (var at = 0; at < 150; at++)
        {
            var row = Enumerable.Range(0, 150).Select(i => (float)-i).ToArray();
            row[at] = float.IsNaN(broken) && at % 2 == 1 ? negativeNaN : broken;
            Assert.Equal(outcome, _sampler.Sample(row, Greedy, Rows.Empty).Outcome);
            Assert.Equal(outcome, _sampler.Sample(row, new() { TopK = 5 }, Rows.Empty).Outcome);
            Assert.Equal(outcome, _sampler.Sample(row, Greedy, Rows.Empty, new AllowOnly((at + 1) % 150)).Outcome);
        }
    }

    [Fact]
    public void Nothing_to_choose_from_is_an_outcome_not_a_token()
    {
        float[] masked = [float.NegativeInfinity, float.NegativeInfinity];
        SampledToken[] failed =
        [
            _sampler.Sample(masked, new(), Rows.Empty),
            _sampler.Sample([], new(), Rows.Empty),
            _sampler.Sample([1, 2], new() { BannedTokenIds = [0, 1] }, Rows.Empty),
            _sampler.Sample([1, 2], Greedy, Rows.Empty, new AllowOnly()),
            default,
        ];
        Assert.All(failed, token => Assert.Equal(SampleOutcome.NothingAllowed, token.Outcome));
        Assert.Throws<InvalidOperationException>(() => failed[0].Id);
    }

    [Fact]
    public void A_penalty_that_overflows_fails_the_row() =>
        Assert.Equal(SampleOutcome.NotFinite, _sampler.Sample([1e30f, 0], Greedy with { RepetitionPenalty = 1e-20f }, new([0])).Outcome);

    [Fact]
    public void Stop_tokens_are_masked_until_enough_was_generated()
    {
        var options = Greedy with { MinTokens = 2, StopTokenIds = [1] };
        var history = new TokenHistory([1, 1, 1]);
        List<int> said = [];
        for (var i = 0; i < 3; i++)
        {
            said.Add(_sampler.Sample([0, 5, 2], options, history).Id);
            history.Add(said[^1]);
        }

        Assert.Equal([2, 2, 1], said);
    }

    [Fact]
    public void Masks_intersect()
    {
        float[] row = [5, 4, 3, 2, 1];
        var options = Greedy with { AllowedTokenIds = [1, 2, 4], BannedTokenIds = [2] };
        Assert.Equal(1, _sampler.Sample(row, options, Rows.Empty).Id);
        Assert.Equal(4, _sampler.Sample(row, options, Rows.Empty, new AllowOnly(0, 2, 3, 4)).Id);
        Assert.Equal([5f, 4, 3, 2, 1], row);
    }

    [Fact]
    public void Bias_comes_before_the_repetition_penalty()
    {
        // (1 + 2) / 2 = 1.5 beats 1.4; penalised first it would be 1 / 2 + 2 = 2.5 and beat 2 as well.
        var options = Greedy with { RepetitionPenalty = 2, LogitBias = new Dictionary<int, float> { [0] = 2 }.ToFrozenDictionary() };
        Assert.Equal(0, _sampler.Sample([1, 1.4f], options, new([0])).Id);
        Assert.Equal(1, _sampler.Sample([1, 2], options, new([0])).Id);
    }

    [Fact]
    public void Repetition_comes_before_presence()
    {
        // 4 / 2 - 1 = 1; with presence first it would be 1.5 and beat 1.2.
        var options = Greedy with { RepetitionPenalty = 2, PresencePenalty = 1 };
        var history = new TokenHistory([]);
        history.Add(0);
        Assert.Equal(1, _sampler.Sample([4, 1.2f], options, history).Id);
        Assert.Equal(0, _sampler.Sample([4, 0.9f], options, history).Id);
    }

    [Fact]
    public void Presence_and_frequency_see_generated_tokens_only_and_repetition_sees_the_prompt_too()
    {
        float[] row = [2, 1];
        var history = new TokenHistory([0, 0, 0]);
        Assert.Equal(0, _sampler.Sample(row, Greedy with { PresencePenalty = 2, FrequencyPenalty = 2 }, history).Id);
        Assert.Equal(1, _sampler.Sample(row, Greedy with { RepetitionPenalty = 3 }, history).Id);
        history.Add(0);
        Assert.Equal(1, _sampler.Sample(row, Greedy with { PresencePenalty = 2 }, history).Id);
        Assert.Equal(0, _sampler.Sample(row, Greedy with { FrequencyPenalty = 0.6f }, history).Id);
        history.Add(0);
        Assert.Equal(1, _sampler.Sample(row, Greedy with { FrequencyPenalty = 0.6f }, history).Id);
        history.Remove([0, 0]);
        Assert.Equal(0, _sampler.Sample(row, Greedy with { PresencePenalty = 2, FrequencyPenalty = 2 }, history).Id);
    }

    [Fact]
    public void A_row_too_long_for_exact_sums_is_refused() =>
        Assert.Contains("524288", Assert.Throws<ArgumentException>(() => _sampler.Sample(new float[524289], Greedy, Rows.Empty)).Message);
}
