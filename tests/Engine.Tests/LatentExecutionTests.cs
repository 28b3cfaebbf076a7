using Serving.Devices;
using Serving.Model;
using Serving.Sampling;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>Engines on real, tiny checkpoints that cache latents: whatever the execution, a request says the same however it is scheduled.</summary>
public sealed class LatentExecutionTests
{
    const string DeepSeek = "hf/deepseek_v2_lite";

    static readonly EngineOptions Small = new() { PageTokens = 8, MaxSequences = 8, TokensPerStep = 24, MaxModelLength = 128 };

    static readonly int[] Lengths = [5, 20, 33, 34, 41, 50, 27, 48];

    static GenerationRequest[] Crowd()
    {
        // Some begin alike; the lengths lie on both sides of the model's crossover of 34 tokens.
        int[] common = [.. Draw(1, 50)];
        return [.. Lengths.Select((length, i) => new GenerationRequest
        {
            Prompt = [.. i % 2 == 0 ? common[..Math.Min(length, 40)].Concat(Draw(i + 10, length - Math.Min(length, 40))) : Draw(i + 10, length)],
            MaxTokens = 40,
            Sampling = new() { Temperature = 0.8f, Seed = i, Logprobs = 0 },
        })];
    }

    [Theory, InlineData(Execution.Absorbed), InlineData(Execution.Auto), InlineData(Execution.Expanded)]
    public async Task A_request_says_the_same_alone_in_a_crowd_preempted_and_on_a_prefix_hit(Execution execution)
    {
        var crowd = Crowd();
        var alone = new List<Said>();
        await using (var model = Load(DeepSeek, Small with { Execution = execution, TokensPerStep = 256, EnablePrefixCaching = false }))
            foreach (var request in crowd) alone.Add(await Say(model, request));

        await using var busy = Load(DeepSeek, Small with { Execution = execution }, pages: 26);
        var generations = crowd.Select(request => Start(busy, request)).ToArray();
        for (var i = 0; i < crowd.Length; i++) Said.Same($"crowded {i}", alone[i], (await Said.ReadAllAsync(generations[i]))[0]);
        Assert.True(busy.Engine.Figures.Preemptions > 0, "Nobody was preempted.");

        await using var shared = Load(DeepSeek, Small with { Execution = execution });
        for (var i = 0; i < crowd.Length; i++) Said.Same($"first {i}", alone[i], await Say(shared, crowd[i]));
        for (var i = 0; i < crowd.Length; i++)
        {
            var again = await Say(shared, crowd[i]);
            Said.Same($"again {i}", alone[i], again);
            Assert.Equal((crowd[i].Prompt.Length - 1) / 8 * 8, again.Cached);
        }
    }

    [Theory, InlineData(Execution.Absorbed), InlineData(Execution.Expanded)]
    public async Task A_prompt_that_quotes_an_answer_says_the_same_as_without_its_history(Execution execution)
    {
        var options = Small with { Execution = execution };
        var first = Crowd()[5];
        await using var fresh = Load(DeepSeek, options);
        await using var model = Load(DeepSeek, options);
        var answer = await Say(model, first);
        var second = first with { Prompt = [.. first.Prompt, .. answer.Tokens.Select(token => token.Id), 7, 9], MaxTokens = 20 };
        var (expected, actual) = (await Say(fresh, second), await Say(model, second));
        Said.Same("second turn", expected, actual);
        // Rows of the answer were absorbed: an expanded prompt computes them anew.
        Assert.Equal(execution == Execution.Expanded ? 48 : 88, actual.Cached);
    }

    [Fact]
    public async Task Executions_round_differently()
    {
        var request = Crowd()[5];
        await using var absorbed = Load(DeepSeek, Small with { Execution = Execution.Absorbed });
        await using var expanded = Load(DeepSeek, Small with { Execution = Execution.Expanded });
        await using var chosen = Load(DeepSeek, Small);
        var (one, other) = (await Say(absorbed, request), await Say(expanded, request));
        Assert.NotEqual(one.Tokens, other.Tokens);
        Assert.Equal(one.Tokens[0].Logprob!.Value, other.Tokens[0].Logprob!.Value, 1e-2f);
        Said.Same("auto", other, await Say(chosen, request));
    }

    [Fact]
    public async Task Pages_of_expanded_and_absorbed_prompts_are_not_shared()
    {
        await using var model = Load(DeepSeek, Small);
        var prompt = Draw(3, 60);
        Assert.Equal([0, 0, 24, 32], await Cached(model, (prompt[..40], 4), (prompt[..30], 4), (prompt[..32], 4), (prompt[..34], 4)));
        Assert.Equal(2, model.Engine.Figures.PrefixHits);
    }

    [Fact]
    public async Task Pages_turned_by_short_and_long_frequencies_are_not_shared()
    {
        // The checkpoint's short frequencies serve sequences of up to 48 tokens.
        await using var model = Load("hf/minicpm3", Small with { Execution = Execution.Absorbed });
        var prompt = Draw(4, 20);
        Assert.Equal([0, 0, 16, 16], await Cached(model, (prompt, 28), (prompt, 29), (prompt, 40), (prompt, 10)));
    }

    static async Task<List<int>> Cached(LoadedModel model, params (int[] Prompt, int Tokens)[] requests)
    {
        var cached = new List<int>();
        foreach (var (prompt, tokens) in requests)
            cached.Add((await Say(model, new() { Prompt = [.. prompt], MaxTokens = tokens, Sampling = new() { Temperature = 0 } })).Cached);
        return cached;
    }

    static LoadedModel Load(string fixture, EngineOptions options, int? pages = null)
    {
        // A page takes three layers of rows, each stream rounded up to cache lines.
        if (pages is { } count)
        {
            using var checkpoint = Checkpoint.OpenFolder(Fixtures.Path(fixture));
            using var harness = new DecoderHarness(checkpoint, new CpuDevice(1));
            var layout = new Cache.CacheLayout([.. harness.Plan.Attentions], options.PageTokens!.Value, options.CacheType);
            options = options with { CacheBytes = count * layout.Groups[0].PageBytes };
        }
        return new(Checkpoint.OpenFolder(Fixtures.Path(fixture)), new CpuDevice(2), options);
    }

    static Generation Start(LoadedModel model, GenerationRequest request) => model.Engine.Start(request, TestContext.Current.CancellationToken);

    static Task<Said> Say(LoadedModel model, GenerationRequest request) => Said.AskAsync(model, request);

    static int[] Draw(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(3, 200))];
    }
}
