using System.Collections.Immutable;
using Serving.Attention;
using Serving.Sampling;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>What the loop tells its callers, step by step.</summary>
public sealed class EngineTests
{
    static readonly SamplingOptions Greedy = new() { Temperature = 0 };
    static readonly GenerationRequest Good = new() { Prompt = [1, 2, 3, 4, 5, 6], MaxTokens = 8, Sampling = Greedy };

    static EngineLab Lab(TimeProvider? clock = null) => new(Layouts.Of(4, RowPolicy.All), new([40]), new() { MaxSequences = 8, TokensPerStep = 16 }, clock);

    [Fact]
    public void A_failing_decoder_fails_the_step_and_the_engine_goes_on()
    {
        using var lab = Lab();
        var (first, second) = (lab.Submit(Good), lab.Submit(Good with { Choices = 3 }));
        lab.Decoder.OnForward = _ => throw new InvalidOperationException("the device has left");
        lab.Step();
        foreach (var choice in Heard.Of(first).Choices.Concat(Heard.Of(second).Choices))
        {
            Assert.Equal(FinishReason.Failed, choice.End!.Reason);
            Assert.Contains("A step of 12 rows for 2 sequences failed: the device has left", choice.End.Error);
        }

        lab.CheckNothingIsLeft();
        Assert.Equal(0, lab.Figures.PagesCached);
        lab.Decoder.OnForward = null;
        var third = lab.Submit(Good);
        lab.Finish();
        Assert.Equal(lab.Alone(third).Tokens, Heard.Of(third).Choices[0].Tokens);
    }

    [Fact]
    public void Rows_whose_logits_could_not_be_read_are_not_shared()
    {
        using var lab = Lab();
        lab.Submit(Good);
        lab.Decoder.OnLogits = () => throw new InvalidOperationException("lost");
        lab.Step();
        Assert.Equal(0, lab.Figures.PagesCached);
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void A_row_with_nothing_to_choose_fails_its_sequence_alone()
    {
        using var lab = Lab();
        var stuck = lab.Submit(Good with { Sampling = Greedy with { AllowedTokenIds = [3], BannedTokenIds = [3] } });
        var well = lab.Submit(Good);
        lab.Finish();
        var end = Heard.Of(stuck).Choices[0].End!;
        Assert.Equal(FinishReason.Failed, end.Reason);
        Assert.Contains("No token may come after position 5", end.Error);
        Assert.Equal(lab.Alone(well).Tokens, Heard.Of(well).Choices[0].Tokens);
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void Stop_tokens_end_a_choice_after_its_least_number_of_tokens_and_are_not_told()
    {
        using var lab = Lab();
        var said = lab.Alone(lab.Submit(Good with { MaxTokens = 8 })).Tokens;
        var stop = Good with { Sampling = Greedy with { StopTokenIds = [said[3]] } };
        var (plain, late) = (lab.Submit(stop), lab.Submit(stop with { Sampling = stop.Sampling with { MinTokens = 8 } }));
        lab.Finish();
        var heard = Heard.Of(plain).Choices[0];
        Assert.Equal((FinishReason.Stop, (int?)said[3]), (heard.End!.Reason, heard.End.StopToken));
        Assert.Equal(said[..said.IndexOf(said[3])], heard.Tokens);
        Assert.Equal((FinishReason.Length, 8), (Heard.Of(late).Choices[0].End!.Reason, lab.Alone(late).Tokens.Count));
    }

    [Fact]
    public void The_caller_stops_one_choice_and_the_others_go_on()
    {
        using var lab = Lab();
        var generation = lab.Submit(Good with { Choices = 3, Sampling = new() { Seed = 5 } });
        generation.Stop(2); // nothing has been told of it yet: it ends with its first token
        lab.Step();
        lab.Step();
        generation.Stop(1);
        lab.Finish();
        var heard = Heard.Of(generation);
        Assert.Equal([FinishReason.Length, FinishReason.Stop, FinishReason.Stop], heard.Choices.Select(choice => choice.End!.Reason));
        Assert.Equal([8, 2, 1], heard.Choices.Select(choice => choice.Tokens.Count));
        for (var choice = 0; choice < 3; choice++)
            Assert.Equal(lab.Alone(generation, choice).Tokens[..heard.Choices[choice].Tokens.Count], heard.Choices[choice].Tokens);
    }

    [Fact]
    public void Cached_tokens_are_told_with_the_prompt()
    {
        using var lab = Lab();
        var first = lab.Submit(Good with { Prompt = [.. Enumerable.Range(0, 10)] });
        lab.Finish();
        var second = lab.Submit(Good with { Prompt = [.. Enumerable.Range(0, 12)] });
        var salted = lab.Submit(Good with { Prompt = [.. Enumerable.Range(0, 12)], CacheSalt = "mine" });
        lab.Finish();
        Assert.Equal([0, 8, 0], new[] { first, second, salted }.Select(generation => Heard.Of(generation).Prompt!.CachedTokens));
        Assert.Equal((3L, 1L, 8L), (lab.Figures.PrefixLookups, lab.Figures.PrefixHits, lab.Figures.PrefixHitTokens));
    }

    [Fact]
    public void Each_choice_has_a_constraint_of_its_own()
    {
        using var lab = Lab();
        var made = new List<Upward>();
        var generation = lab.Submit(Good with { Choices = 3, Sampling = new(), Constraint = Make });
        lab.Finish();
        Assert.All(Heard.Of(generation).Choices, choice => Assert.Equal(choice.Tokens.Order().Distinct(), choice.Tokens));
        Assert.Equal(3, made.Count);
        var broken = lab.Submit(Good with { Constraint = () => new Upward { Breaks = true } });
        lab.Finish();
        Assert.Contains("The constraint failed after position 5: broken", Heard.Of(broken).Choices[0].End!.Error);

        Upward Make()
        {
            made.Add(new());
            return made[^1];
        }
    }

    [Fact]
    public void Guesses_are_no_part_of_the_history_until_they_are_said()
    {
        var sequence = new Sequence(Good with { Sampling = new() { StopTokenIds = [5] } }, lengthLimit: 20, pageGroups: 1) { GuessRoom = 3 };
        sequence.Append(7);
        Assert.True(sequence.Guess(8) && sequence.Guess(9));
        Assert.False(sequence.Guess(5));
        Assert.True(sequence.Guess(4));
        Assert.False(sequence.Guess(3));
        Assert.Equal((10, 7, 1), (sequence.Known.Length, sequence.Settled, sequence.History.Generated));
        sequence.Confirm();
        Assert.Equal(2, sequence.Rollback());
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], sequence.Known.ToArray());
        Assert.Equal((2, 0, 0), (sequence.History.Generated, sequence.Drafted, sequence.History.TimesGenerated(9)));
    }

    [Fact]
    public void Ten_thousand_waiting_requests_are_not_looked_at_in_a_step()
    {
        using var lab = new EngineLab(Layouts.Of(4, RowPolicy.All), new([8]), new() { MaxSequences = 1, TokensPerStep = 16, MaxQueuedRequests = 20_000 });
        for (var i = 0; i < 10_000; i++) lab.Loop.Submit(Good with { Priority = i % 7, MaxTokens = 20 });
        lab.Loop.Step();
        var before = lab.Figures.PrefixLookups;
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10; i++) lab.Loop.Step();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, 10 * 400);
        Assert.Equal((before, 9_999, 1), (lab.Figures.PrefixLookups, lab.Figures.Waiting, lab.Figures.Running));
    }

    [Fact]
    public void A_decode_step_allocates_little_more_than_its_events()
    {
        using var lab = new EngineLab(Layouts.Of(16, RowPolicy.All), new([400]), new() { MaxSequences = 8, TokensPerStep = 16 });
        for (var i = 0; i < 8; i++) lab.Submit(Good with { Prompt = [i, 1, 2], MaxTokens = 120 });
        for (var i = 0; i < 70; i++) lab.Loop.Step();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 40; i++) lab.Loop.Step();
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / (40 * 8), 40, 120);
    }

    /// <summary>Lets tokens only rise.</summary>
    sealed class Upward : ITokenConstraint
    {
        readonly List<int> _said = [-1];

        public bool Breaks { get; init; }

        public void Allow(Span<ulong> mask)
        {
            if (Breaks) throw new InvalidOperationException("broken");
            for (var token = _said[^1] + 1; token < FakeDecoder.DefaultVocabulary; token++) mask[0] |= 1UL << token;
        }

        public bool Accept(int token)
        {
            if (token <= _said[^1]) return false;
            _said.Add(token);
            return true;
        }

        public void Rollback(int tokens) => _said.RemoveRange(_said.Count - tokens, tokens);
    }
}
