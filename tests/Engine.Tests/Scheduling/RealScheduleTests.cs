using Serving.Devices;
using Serving.Diagnostics;
using Serving.Model;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>Small, crowded engines on tiny checkpoints: whatever the schedule, everybody says, to the last bit, what they say alone.</summary>
public sealed class RealScheduleTests
{
    static readonly int Schedules = Fixtures.Rounds(60);

    [Theory]
    [InlineData("hf/llama_gqa_llama3", 0), InlineData("hf/mistral_window", 0), InlineData("hf/deepseek_v2_lite", 0), InlineData("schemes/mfa_step3", 0)]
    [InlineData("hf/llama_gqa_llama3", 1), InlineData("hf/mistral_window", 1), InlineData("hf/deepseek_v2_lite", 1), InlineData("schemes/mfa_step3", 1)]
    [InlineData("hf/llama4_text", 2), InlineData("hf/gpt_oss", 2), InlineData("hf/gemma2", 2), InlineData("hf/minicpm3", 2), InlineData("hf/qwen3_moe", 2)]
    [InlineData("schemes/cca", 3), InlineData("schemes/mka", 3), InlineData("schemes/mtla", 4), InlineData("schemes/mtla_s3", 8), InlineData("hf/kimi_linear", 6), InlineData("hf/zaya", 7)]
    public void Everyone_says_in_a_crowd_what_they_say_alone(string fixture, int part)
    {
        var folder = Fixtures.Path(fixture);
        var (preemptions, hits, evictions, accepted, rejected) = (0L, 0L, 0L, 0L, 0L);
        for (var seed = part * Schedules; seed < (part + 1) * Schedules; seed++)
        {
            try
            {
                var figures = Play(folder, new Random(seed));
                preemptions += figures.Preemptions;
                hits += figures.PrefixHits;
                evictions += figures.Evictions;
                accepted += figures.AcceptedTokens;
                rejected += figures.DraftedTokens - figures.AcceptedTokens;
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"Schedule of seed {seed}: {exception.Message}", exception);
            }
        }

        Assert.True(preemptions > 10 && hits > 10 && evictions > 10, $"Not crowded enough: {(preemptions, hits, evictions)}");
        Assert.True(accepted > 50 && rejected > 50, $"Too few guesses: {(accepted, rejected)}");
    }

    internal static EngineFigures Play(string folder, Random random)
    {
        var options = RandomSchedule.Options(random) with
        {
            PageTokens = random.Next(1, 6), Execution = (Execution)random.Next(3), CacheType = (CacheType)random.Next(5),
        };
        using var crowdDecoder = new PagedDecoder(folder, options, layout => RandomSchedule.Size(layout, options, random), threads: 1);
        using var loneDecoder = new PagedDecoder(
            folder, options with { TokensPerStep = RandomSchedule.MostTokens, EnablePrefixCaching = false, PageTokens = RandomSchedule.MostTokens },
            layout => new([.. layout.Groups.Select(_ => 2)], Places: 1), threads: 1);
        using var alone = loneDecoder.Engine();
        using var crowd = crowdDecoder.Engine(new Foretelling(sequence => Alone(alone, sequence).Choices[0].Tokens, random));
        RandomSchedule.Play(crowd, random);
        foreach (var generation in crowd.Generations) Judge(alone, generation, Heard.Of(generation));
        return crowd.Figures;
    }

    static void Judge(SteppedEngine alone, Generation generation, Heard heard)
    {
        for (var choice = 0; choice < heard.Choices.Length; choice++)
        {
            var expected = Alone(alone, generation.Sequences[choice]);
            var (told, said) = (expected.Choices[0], heard.Choices[choice]);
            var cutShort = said.End!.Reason is FinishReason.Cancelled || (said.End.Reason == FinishReason.Stop && said.End.StopToken is null);
            var length = cutShort ? said.Tokens.Count : told.Tokens.Count;
            Assert.Equal(told.Tokens[..length], said.Tokens);
            Assert.Equal(told.Logprobs[..length], said.Logprobs);
            if (!cutShort) Assert.Equal((told.End!.Reason, told.End.StopToken), (said.End.Reason, said.End.StopToken));
            if (heard.Prompt is { } prompt) Assert.Equal(expected.Prompt!.Logprobs.Select(Score), prompt.Logprobs.Select(Score));
            if (heard.Embedding is not null) Assert.Equal(expected.Embedding, heard.Embedding);
        }

        static (int, float?) Score(Sampling.SampledToken token) => (token.Id, token.Logprob);
    }

    /// <summary>A choice as a request of its own, with the whole cache to itself.</summary>
    static Heard Alone(SteppedEngine engine, Sequence sequence)
    {
        var request = sequence.Request;
        var generation = engine.Submit(request with
        {
            Choices = 1, Sampling = sequence.Sampling, Drafting = null,
            MaxTokens = request.Pooling == Pooling.None ? sequence.LengthLimit - request.Prompt.Length : null,
        });
        engine.Finish();
        var heard = Heard.Of(generation);
        Assert.Null(heard.Choices[0].End!.Error);
        return heard;
    }
}
