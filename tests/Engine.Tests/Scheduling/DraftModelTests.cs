using Serving.Attention;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Sampling;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>A second model that guesses: right where the two agree, never in the way of the first.</summary>
public sealed class DraftModelTests
{
    static readonly CacheLayout Layout = Layouts.Of(4, RowPolicy.All, new(Window: 6));

    static DraftModel Draft(FakeDecoder decoder, int pages = 60, int rows = 32) => new(decoder, new(Layout, new([pages, pages]), true), FakeDecoder.DefaultVocabulary, 1000, rows);

    static GenerationRequest Ask(int prompt, int tokens, SamplingOptions? sampling = null) => new()
    {
        Prompt = [.. Enumerable.Range(0, prompt).Select(i => i % 7)], MaxTokens = tokens, Sampling = sampling ?? new() { Temperature = 0 }, Drafting = new(4),
    };

    static EngineLab Lab(DraftModel drafter) => new(Layout, new([90, 90]), new() { MaxSequences = 4, TokensPerStep = 32 }, drafter: drafter);

    [Fact]
    public void A_model_that_agrees_guesses_right_drawn_answers_too()
    {
        using var lab = Lab(Draft(new(Layout, new([60, 60]))));
        var requests = new[]
        {
            Ask(6, 20), Ask(9, 20, new() { Temperature = 1, Seed = 4, FrequencyPenalty = 1, Logprobs = 2 }),
            Ask(9, 20, new() { Temperature = 2, Seed = 5, TopP = 0.9f }) with { Constraint = () => new NoEcho() },
        };
        foreach (var request in requests) lab.Submit(request);
        lab.Finish();
        foreach (var generation in lab.Generations) Assert.Equal(lab.Alone(generation).Tokens, Heard.Of(generation).Choices[0].Tokens);
        Assert.True(lab.Figures.AcceptedTokens > 30);
        Assert.Equal(lab.Figures.DraftedTokens, lab.Figures.AcceptedTokens);
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void A_prompt_that_it_must_read_in_parts_is_guessed_for_afterwards()
    {
        var decoder = new FakeDecoder(Layout, new([60, 60]));
        var most = 0;
        decoder.OnForward = step => most = Math.Max(most, step.Rows.Rows);
        using var lab = Lab(Draft(decoder, rows: 8));
        var generation = lab.Submit(Ask(50, 60));
        lab.Finish();
        Assert.Equal(8, most);
        Assert.Equal(lab.Alone(generation).Tokens, Heard.Of(generation).Choices[0].Tokens);
        Assert.True(lab.Figures.AcceptedTokens > 30);
    }

    [Fact]
    public void A_model_that_breaks_is_left_out_and_nobody_notices()
    {
        var decoder = new FakeDecoder(Layout, new([60, 60]));
        var steps = 0;
        decoder.OnForward = _ => steps += steps < 6 ? 1 : throw new InvalidOperationException("broken");
        using var lab = Lab(Draft(decoder));
        var generation = lab.Submit(Ask(6, 40));
        for (var step = 0; lab.Loop.Step(); step++) Assert.True(step < 100);
        Assert.Equal(lab.Alone(generation).Tokens, Heard.Of(generation).Choices[0].Tokens);
        Assert.Equal(6, steps);
        Assert.Equal(0, lab.Figures.PagesHeld);
    }

    [Fact]
    public async Task A_checkpoint_guesses_for_one_of_the_same_vocabulary()
    {
        var folder = Fixtures.Path("hf/llama_gqa_llama3");
        var options = new EngineOptions { MaxSequences = 4, TokensPerStep = 32, MaxModelLength = 128, Drafting = new(4), CacheBytes = 4 << 20 };
        await using var loaded = new LoadedModel(Checkpoint.Open(folder), new CpuDevice(1), options, draft: Checkpoint.Open(folder));
        await using var plain = new LoadedModel(Checkpoint.Open(folder), new CpuDevice(1), options);
        Assert.InRange(loaded.Layout.Bytes(loaded.Size.Pages), 1, plain.Layout.Bytes(plain.Size.Pages) / 2);
        var ask = Ask(9, 30, new() { Temperature = 1, Seed = 1, Logprobs = 0 });
        Assert.Equal(await Said(plain, ask with { Drafting = new(0) }), await Said(loaded, ask with { Drafting = null }));
        Assert.True(loaded.Engine.Figures is { AcceptedTokens: > 20 } figures && figures.AcceptedTokens == figures.DraftedTokens);
    }

    [Theory]
    [InlineData("schemes/cca", "keeps states of sequences")]
    [InlineData("hf/gemma2", "tokens and the model")]
    public void A_checkpoint_that_cannot_guess_says_why(string fixture, string why)
    {
        using var draft = Checkpoint.Open(Fixtures.Path(fixture));
        using var device = new CpuDevice(1);
        using var model = Checkpoint.Open(Fixtures.Path("hf/llama_gqa_llama3"));
        Assert.Contains(why, Assert.Throws<CheckpointException>(() => new LoadedModel(model, device, new() { CacheBytes = 1 << 20 }, draft: draft)).Message);
    }

    static async Task<string[]> Said(LoadedModel model, GenerationRequest request)
    {
        var said = new List<string>();
        await foreach (var happened in model.Engine.Start(request).Events.ReadAllAsync())
            if (happened is GenerationEvent.Token token) said.Add($"{token.Sampled.Id}:{token.Sampled.Logprob}");
        return [.. said];
    }

    /// <summary>Forbids to say a token twice in a row.</summary>
    sealed class NoEcho : ITokenConstraint
    {
        readonly List<int> _said = [-1];

        public void Allow(Span<ulong> mask)
        {
            mask.Fill(ulong.MaxValue);
            if (_said[^1] >= 0) mask[_said[^1] >> 6] &= ~(1UL << (_said[^1] & 63));
        }

        public bool Accept(int token)
        {
            if (token == _said[^1]) return false;
            _said.Add(token);
            return true;
        }

        public void Rollback(int tokens) => _said.RemoveRange(_said.Count - tokens, tokens);
    }
}
