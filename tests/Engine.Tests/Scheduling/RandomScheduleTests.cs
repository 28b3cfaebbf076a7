using System.Collections.Immutable;
using Serving.Attention;
using Serving.Diagnostics;
using Serving.Sampling;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>Thousands of small, crowded engines: whatever the schedule, everybody says what they say alone, and no page is lost.</summary>
public sealed class RandomScheduleTests
{
    [Theory]
    [InlineData(0), InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    [InlineData(5), InlineData(6), InlineData(7), InlineData(8), InlineData(9)]
    public void Everyone_says_in_a_crowd_what_they_say_alone(int part)
    {
        var (preemptions, hits, evictions) = (0L, 0L, 0L);
        for (var seed = part * 1000; seed < (part + 1) * 1000; seed++)
        {
            try
            {
                var figures = Play(new Random(seed));
                preemptions += figures.Preemptions;
                hits += figures.PrefixHits;
                evictions += figures.Evictions;
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"Schedule of seed {seed}: {exception.Message}", exception);
            }
        }

        Assert.True(preemptions > 100 && hits > 100 && evictions > 100, $"Not crowded enough: {(preemptions, hits, evictions)}");
    }

    static EngineFigures Play(Random random)
    {
        var layout = Layouts.Of(random.Next(1, 6), RandomGroups(random));
        var sequences = random.Next(1, 7);
        var budget = random.Next(sequences, 20);
        ImmutableArray<int> pages = [.. layout.Groups.Select(group => random.Next(group.MostPages(24, budget), 3 * group.MostPages(24, budget)))];
        using var lab = new EngineLab(layout, pages, new()
        {
            MaxSequences = sequences, TokensPerStep = budget, MaxModelLength = 40, EnablePrefixCaching = random.Next(4) > 0,
        });
        var arrivals = Enumerable.Range(0, random.Next(1, 9)).Select(_ => RandomRequest(random)).ToLookup(_ => random.Next(20));
        for (var step = 0; lab.Step() || step < 20; step++)
        {
            foreach (var request in arrivals[step]) Submit(lab, request);
            if (lab.Generations.Count > 0 && random.Next(12) == 0) Disturb(lab.Generations[random.Next(lab.Generations.Count)], random);
            Assert.True(step < 3000, "no end in sight");
        }

        lab.CheckNothingIsLeft();
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

    static GenerationRequest RandomRequest(Random random)
    {
        // Few distinct prompts over few distinct tokens: most requests share some prefix with others.
        var tokens = new Random(random.Next(3));
        var pooling = random.Next(12) == 0 ? (Pooling)random.Next(1, 3) : Pooling.None;
        return new()
        {
            Prompt = [.. Enumerable.Range(0, random.Next(1, 22)).Select(_ => tokens.Next(4))],
            Choices = pooling == Pooling.None && random.Next(3) == 0 ? random.Next(2, 5) : 1,
            MaxTokens = random.Next(5) == 0 ? null : random.Next(0, 16),
            Priority = random.Next(3),
            Pooling = pooling,
            PromptLogprobs = random.Next(8) == 0 ? random.Next(3) : null,
            CacheSalt = random.Next(5) == 0 ? "other" : "",
            Sampling = new()
            {
                Temperature = random.Next(2), Seed = random.Next(3), FrequencyPenalty = random.Next(2),
                StopTokenIds = random.Next(2) == 0 ? [7, 8] : [],
            },
        };
    }

    static void Submit(EngineLab lab, GenerationRequest request)
    {
        try
        {
            lab.Submit(request);
        }
        catch (RequestRefusedException refusal) when (refusal.Reason == RefusalReason.TooLong || request.Choices > lab.Loop.Door.Limits.MaxSequences)
        {
        }
    }

    static void Disturb(Generation generation, Random random)
    {
        if (random.Next(3) == 0) generation.Cancel();
        else if (random.Next(2) == 0) generation.Stop(random.Next(generation.Request.Choices));
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
