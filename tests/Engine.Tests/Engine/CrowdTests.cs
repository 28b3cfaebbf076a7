using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>The embedded model alone, one request after the other, with everything that a schedule could change out of the way.</summary>
public sealed class LoneAnswers : IAsyncLifetime
{
    /// <summary>Short prompts, from the text of the golden answers.</summary>
    internal GenerationRequest[] Crowd { get; } = [.. Enumerable.Range(0, 64).Select(i => Ask(Text(i * 7, 5 + i % 9)))];

    /// <summary>The first of them, drawn instead of chosen.</summary>
    internal GenerationRequest[] Drawn { get; } = [.. Enumerable.Range(0, 12).Select(i => Draw(Ask(Text(i * 7, 5 + i % 9)), seed: 40 + i))];

    /// <summary>Prompts over several pages and several steps.</summary>
    internal GenerationRequest[] Long { get; } = [.. new[] { 37, 64, 65, 130, 200 }.Select((length, i) => Draw(Ask(Text(i * 31, length)), seed: i))];

    internal Said[] CrowdSaid { get; private set; } = [];
    internal Said[] DrawnSaid { get; private set; } = [];
    internal Said[] LongSaid { get; private set; } = [];

    internal static EngineOptions Options { get; } = new()
    {
        CacheBytes = 64 << 20, MaxModelLength = 256, MaxSequences = 64, PageTokens = 16, TokensPerStep = 512,
    };

    /// <summary>Computes what everybody says alone.</summary>
    public async ValueTask InitializeAsync()
    {
        await using var model = RealModels.Load(RealModels.Embedded, Options with { EnablePrefixCaching = false });
        CrowdSaid = await OneByOneAsync(model, Crowd);
        DrawnSaid = await OneByOneAsync(model, Drawn);
        LongSaid = await OneByOneAsync(model, Long);
    }

    /// <summary>Nothing is held.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    internal static async Task<Said[]> OneByOneAsync(LoadedModel model, IEnumerable<GenerationRequest> requests)
    {
        var said = new List<Said>();
        foreach (var request in requests) said.Add(await Said.AskAsync(model, request));
        return [.. said];
    }

    internal static int[] Text(int from, int length)
    {
        int[] text = [.. RealModels.Answers(RealModels.Embedded).SelectMany(answer => answer.Ids.Concat(answer.Prompt))];
        return [.. Enumerable.Range(from, length).Select(i => text[i % text.Length])];
    }

    internal static GenerationRequest Ask(int[] prompt) =>
        new() { Prompt = [.. prompt], MaxTokens = 8, Sampling = new() { Temperature = 0, Logprobs = 0 } };

    static GenerationRequest Draw(GenerationRequest request, int seed) =>
        request with { Sampling = request.Sampling with { Temperature = 0.8f, Seed = seed } };
}

/// <summary>The engine on the embedded model: whatever goes on around a request, it says what it says alone, to the last bit.</summary>
public sealed class CrowdTests(LoneAnswers alone) : IClassFixture<LoneAnswers>
{
    [Fact]
    public async Task Sixty_four_at_once_say_what_they_say_alone()
    {
        await using var model = RealModels.Load(RealModels.Embedded, LoneAnswers.Options);
        var generations = StartAll(model, [.. alone.Crowd, .. alone.Drawn]);
        await CheckAsync([.. alone.CrowdSaid, .. alone.DrawnSaid], generations);
        Assert.InRange(model.Engine.Figures.LargestBatch, 32, 64);
        await CheckNothingHeldAsync(model);
    }

    [Fact]
    public async Task Sixty_four_on_a_cache_for_eight_are_preempted_and_say_the_same()
    {
        // 9 tokens and 8 more, as a rule: five pages of 4 for each of eight.
        var options = LoneAnswers.Options with { PageTokens = 4 };
        await using var model = RealModels.Load(
            RealModels.Embedded, options with { CacheBytes = 40 * RealModels.PageBytes(RealModels.Embedded, options) });
        Assert.Equal([40], model.Size.Pages);
        await CheckAsync(alone.CrowdSaid, StartAll(model, alone.Crowd));
        Assert.True(model.Engine.Figures.Preemptions >= 20, $"{model.Engine.Figures.Preemptions} preemptions");
        await CheckNothingHeldAsync(model);
    }

    [Theory, InlineData(7, 1), InlineData(64, 3), InlineData(512, 2)]
    public async Task Neither_steps_nor_threads_nor_shared_prefixes_change_a_bit(int tokensPerStep, int threads)
    {
        await using var model = RealModels.Load(
            RealModels.Embedded, LoneAnswers.Options with { MaxSequences = 7, TokensPerStep = tokensPerStep }, threads);
        await CheckAsync(alone.LongSaid, StartAll(model, alone.Long));
        var again = await LoneAnswers.OneByOneAsync(model, alone.Long);
        for (var i = 0; i < again.Length; i++)
        {
            Said.Same($"again {i}", alone.LongSaid[i], again[i]);
            Assert.Equal((alone.Long[i].Prompt.Length - 1) / 16 * 16, again[i].Cached);
        }

        await CheckNothingHeldAsync(model);
    }

    [Fact]
    public async Task Four_choices_are_four_requests()
    {
        await using var model = RealModels.Load(RealModels.Embedded, LoneAnswers.Options);
        foreach (var i in new[] { 3, 20, 41 })
        {
            var choices = await Said.ReadAllAsync(Start(model, alone.Crowd[i] with { Choices = 4 }));
            foreach (var choice in choices) Said.Same($"choices of {i}", alone.CrowdSaid[i], choice);
        }

        await CheckNothingHeldAsync(model);
    }

    [Fact]
    public void A_prompt_of_4000_tokens_among_sixteen_streams_delays_none_of_them()
    {
        var options = LoneAnswers.Options with { MaxModelLength = 4096, PageTokens = 64, TokensPerStep = 512 };
        using var decoder = new PagedDecoder(RealModels.Folder(RealModels.Embedded), options, _ => new([128]), threads: 2);
        using var engine = decoder.Engine();
        var streams = alone.Crowd.Take(16).Select(request => engine.Submit(request with { MaxTokens = 12 })).ToArray();
        engine.Step();
        foreach (var stream in streams) Heard.Of(stream);
        var late = engine.Submit(LoneAnswers.Ask(LoneAnswers.Text(0, 4000)) with { MaxTokens = 1 });
        for (var step = 0; step < 9; step++)
        {
            Assert.Equal(1, late.Unfinished);
            var before = engine.Figures.Rows;
            engine.Step();
            Assert.InRange(engine.Figures.Rows - before, 17, 512);
            Assert.All(streams, stream => Assert.True(stream.Events.TryRead(out _)));
            Assert.All(streams, stream => Assert.False(stream.Events.TryRead(out _)));
        }

        Assert.Equal(0, late.Unfinished); // 4000 tokens beside 16 rows in steps of 512
        engine.Finish();
        engine.CheckNothingIsLeft();
    }

    static Generation Start(LoadedModel model, GenerationRequest request) => model.Engine.Start(request, TestContext.Current.CancellationToken);

    static Generation[] StartAll(LoadedModel model, GenerationRequest[] requests) => [.. requests.Select(request => Start(model, request))];

    static async Task CheckAsync(Said[] expected, Generation[] generations)
    {
        for (var i = 0; i < generations.Length; i++) Said.Same($"request {i}", expected[i], (await Said.ReadAllAsync(generations[i]))[0]);
    }

    /// <summary>Ends the engine first: an end is told a moment before the step's figures are complete.</summary>
    static async Task CheckNothingHeldAsync(LoadedModel model)
    {
        await model.Engine.DrainAsync(TestContext.Current.CancellationToken);
        Assert.Equal((0, 0, 0), (model.Engine.Figures.PagesHeld, model.Engine.Figures.Running, model.Engine.Figures.Waiting));
    }
}
