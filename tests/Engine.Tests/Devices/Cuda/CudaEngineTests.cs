using Serving.Devices;
using Serving.Model;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>The engine, with its thread, scheduler, pages and prefix cache, on the CUDA device.</summary>
public sealed class CudaEngineTests
{
    // Small pages and few rows a step: prompts are cut into chunks, and sequences lie on many pages.
    static readonly EngineOptions Small = new()
    {
        PageTokens = 8, TokensPerStep = 16, MaxSequences = 4, CacheBytes = 8 << 20, MaxModelLength = 96, CacheType = CacheType.Float32,
    };

    [Theory, InlineData("hf/deepseek_v3"), InlineData("hf/qwen3"), InlineData("hf/kimi_linear"), InlineData("schemes/mfa_kr"), InlineData("schemes/mtla")]
    public async Task Greedy_answers_are_golden_alone_and_all_at_once(string fixture)
    {
        using var golden = Golden.Open(fixture);
        await using var model = Load(fixture, Small);
        foreach (var test in golden.Cases)
            Assert.Equal(test.GreedyIds, (await Said.AskAsync(model, Request(test))).Ids);

        await using var fresh = Load(fixture, Small);
        var answers = await Task.WhenAll(golden.Cases.Select(test => Said.AskAsync(fresh, Request(test))));
        foreach (var (test, answer) in golden.Cases.Zip(answers)) Assert.Equal(test.GreedyIds, answer.Ids);
    }

    [Theory, InlineData("hf/qwen3"), InlineData("schemes/cca"), InlineData("schemes/mtla")]
    public Task Sequences_that_are_swapped_to_the_host_and_back_say_to_the_last_bit_what_they_say_with_room(string fixture) =>
        SwapTests.SaysTheSameUnderPressureAsync(fixture, () => CudaEmulator.Device());

    [Fact]
    public async Task What_swapping_costs_is_measured_where_it_is_wanted()
    {
        // Whichever way is taken: answers are the same, and what was measured is finite.
        await using var model = Load("hf/qwen3", Small with { SwapBytes = 1 << 20 });
        using var golden = Golden.Open("hf/qwen3");
        foreach (var test in golden.Cases) Assert.Equal(test.GreedyIds, (await Said.AskAsync(model, Request(test))).Ids);
        Assert.NotNull(model.Size.Swap);
    }

    [Fact]
    public async Task Sampled_answers_do_not_depend_on_the_crowd_to_the_last_bit()
    {
        await using var model = Load("hf/deepseek_v3", Small with { CacheType = CacheType.BFloat16, EnablePrefixCaching = false });
        var requests = Enumerable.Range(0, 4).Select(i => new GenerationRequest
        {
            Prompt = [.. Enumerable.Range(0, 9 + 5 * i).Select(k => 3 + (k * 7 + i * 13) % 150)],
            MaxTokens = 12,
            Sampling = new() { Temperature = 1, Seed = i, Logprobs = 0 },
        }).ToArray();
        var alone = new List<Said>();
        foreach (var request in requests) alone.Add(await Said.AskAsync(model, request));
        var crowd = await Task.WhenAll(requests.Select(request => Said.AskAsync(model, request)));
        for (var i = 0; i < requests.Length; i++) Said.Same($"request {i}", alone[i], crowd[i]);
    }

    static GenerationRequest Request(GoldenCase test) =>
        new() { Prompt = [.. test.Prompt], MaxTokens = test.GreedyIds.Length, Sampling = new() { Temperature = 0 } };

    static LoadedModel Load(string fixture, EngineOptions options) =>
        new(Checkpoint.OpenFolder(Fixtures.Path(fixture)), CudaEmulator.Device(), options);
}
