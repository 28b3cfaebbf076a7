using FsCheck;
using FsCheck.Fluent;
using Serving.Attention;
using Serving.Diagnostics;
using Serving.Sampling;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving.Tests;

/// <summary>Thousands of small, crowded engines: whatever the schedule, everybody says what they say alone, and no page is lost.</summary>
public sealed class RandomScheduleTests
{
    [Theory]
    [InlineData(0), InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    [InlineData(5), InlineData(6), InlineData(7), InlineData(8), InlineData(9)]
    public void Everyone_says_in_a_crowd_what_they_say_alone(int part)
    {
        var (preemptions, hits, evictions, accepted, rejected, swappedOut, swappedIn) = (0L, 0L, 0L, 0L, 0L, 0L, 0L);
        for (var seed = part * 1000; seed < (part + 1) * 1000; seed++)
        {
            try
            {
                var figures = Play(new Random(seed));
                preemptions += figures.Preemptions;
                hits += figures.PrefixHits;
                evictions += figures.Evictions;
                accepted += figures.AcceptedTokens;
                rejected += figures.DraftedTokens - figures.AcceptedTokens;
                swappedOut += figures.SwappedOutTokens;
                swappedIn += figures.SwappedInTokens;
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"Schedule of seed {seed}: {exception.Message}", exception);
            }
        }

        Assert.True(preemptions > 100 && hits > 100 && evictions > 100, $"Not crowded enough: {(preemptions, hits, evictions)}");
        Assert.True(swappedOut > 1000 && swappedIn > 1000 && swappedIn < swappedOut, $"Too little swapped: {(swappedOut, swappedIn)}");
        Assert.True(accepted > 1000 && rejected > 1000, $"Too few guesses: {(accepted, rejected)}");
    }

    /// <summary>Schedules that nobody saw before; FsCheck prints the seed of one that fails.</summary>
    [Fact]
    public void Any_schedule_keeps_what_the_known_ones_keep() => Prop
        .ForAll(Gen.Choose(10_000, int.MaxValue - 1).ToArbitrary(), seed => Play(new Random(seed)).PagesHeld == 0)
        .Check(Config.QuickThrowOnFailure.WithMaxTest(Fixtures.Rounds(300)));

    static EngineFigures Play(Random random)
    {
        var (pageTokens, groups) = (random.Next(1, 6), RandomGroups(random));
        var layout = random.Next(2) == 0 ? Layouts.Of(pageTokens, groups) : Layouts.WithState(pageTokens, groups);
        var options = RandomSchedule.Options(random);
        var size = RandomSchedule.Size(layout, options, random);
        var drafter = random.Next(4) switch
        {
            0 => (IDrafter)new PromptLookup(),
            1 => RandomDraftModel(random.Next(3) == 0 ? RandomGroups(random) : groups, pageTokens, random),
            _ => new Foretelling(sequence => LoneModel.Say(layout, sequence, FakeDecoder.DefaultVocabulary).Tokens, random),
        };
        using var lab = new EngineLab(layout, size, options, drafter: drafter);
        RandomSchedule.Play(lab, random);
        foreach (var generation in lab.Generations) Judge(lab, generation);
        return lab.Figures;
    }

    static RowPolicy[] RandomGroups(Random random) => random.Next(6) switch
    {
        0 => [new(Window: random.Next(1, 12))],
        1 => [RowPolicy.All, new(Window: random.Next(1, 12))],
        2 => [new(Chunk: random.Next(1, 12)), RowPolicy.All, RowPolicy.All],
        3 => [new(Window: random.Next(1, 6)), new(Window: random.Next(6, 16), Chunk: random.Next(2, 9))],
        _ => [RowPolicy.All],
    };

    static DraftModel RandomDraftModel(RowPolicy[] groups, int pageTokens, Random random)
    {
        var layout = Layouts.Of(pageTokens, groups);
        Cache.CacheSize size = new([.. layout.Groups.Select(_ => random.Next(1, 40))]);
        return new(new FakeDecoder(layout, size.Pages), new(layout, size, random.Next(2) == 0), FakeDecoder.DefaultVocabulary, random.Next(10, 50), random.Next(6, RandomSchedule.MostRows));
    }

    static void Judge(EngineLab lab, Generation generation)
    {
        var heard = Heard.Of(generation);
        var model = new LoneModel(lab.Layout);
        var states = generation.Request.Prompt.Select(model.Append).ToArray();
        for (var choice = 0; choice < heard.Choices.Length; choice++)
        {
            var (tokens, reason) = lab.Alone(generation, choice);
            var said = heard.Choices[choice];
            Assert.NotNull(said.End);
            var cutShort = said.End.Reason is FinishReason.Cancelled || (said.End.Reason == FinishReason.Stop && said.End.StopToken is null);
            if (generation.Request.Pooling == Pooling.None && !cutShort) Assert.Equal(reason, said.End.Reason);
            Assert.Equal(cutShort ? tokens[..said.Tokens.Count] : tokens, said.Tokens);
        }

        if (heard.Prompt is null) return;
        if (generation.Request.PromptLogprobs is { } alternatives) JudgeScores(generation.Request, alternatives, states, heard.Prompt);
        if (generation.Request.Pooling != Pooling.None) Assert.Equal(Pooled(generation.Request.Pooling, states), heard.Embedding);
    }

    static void JudgeScores(GenerationRequest request, int alternatives, ulong[] states, GenerationEvent.Prompt prompt)
    {
        Assert.Equal(0, prompt.CachedTokens);
        Assert.Equal(states.Length - 1, prompt.Logprobs.Length);
        var (sampler, logits) = (new Sampler(), new float[FakeDecoder.DefaultVocabulary]);
        for (var i = 1; i < states.Length; i++)
        {
            FakeDecoder.FillLogits(states[i - 1], logits);
            var expected = sampler.Score(logits, request.Prompt[i], alternatives);
            Assert.Equal((expected.Id, expected.Logprob), (prompt.Logprobs[i - 1].Id, prompt.Logprobs[i - 1].Logprob));
        }
    }

    static float[] Pooled(Pooling pooling, ulong[] states)
    {
        var sum = new float[3];
        var row = new float[3];
        foreach (var state in pooling == Pooling.Last ? states[^1..] : states)
        {
            FakeDecoder.FillHidden(state, row);
            for (var i = 0; i < row.Length; i++) sum[i] += row[i];
        }

        return Array.ConvertAll(sum, value => pooling == Pooling.Last ? value : value / states.Length);
    }
}
