using System.Collections.Immutable;
using Serving.Attention;
using Serving.Cache;
using Serving.Sampling;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>The façade, with its thread.</summary>
public sealed class LlmEngineTests
{
    static readonly CacheLayout Layout = Layouts.Of(4, RowPolicy.All);
    static readonly ImmutableArray<int> Pages = [60];
    static readonly EngineOptions Options = new() { MaxSequences = 8, TokensPerStep = 16, PageTokens = 4 };

    static GenerationRequest Ask(int first, int? tokens = 20) => new()
    {
        Prompt = [first, 2, 3, 4, 5, 6], MaxTokens = tokens, Sampling = new() { Temperature = 1, Seed = first },
    };

    static LlmEngine Start(FakeDecoder? decoder = null) => new(decoder ?? new(Layout, Pages), Layout, Pages, Options);

    static async Task<(List<int> Tokens, FinishReason Reason)> Read(Generation generation)
    {
        var tokens = new List<int>();
        await foreach (var happened in generation.Events.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            if (happened is GenerationEvent.Token token) tokens.Add(token.Sampled.Id);
            if (happened is GenerationEvent.Finished end) return (tokens, end.Reason);
        }

        throw new InvalidOperationException("The events ended without an end.");
    }

    [Fact]
    public async Task Everybody_in_a_crowd_of_callers_hears_what_they_hear_alone()
    {
        await using var engine = Start();
        var generations = Enumerable.Range(0, 24).AsParallel().Select(i => engine.Start(Ask(i))).ToArray();
        foreach (var generation in generations)
            Assert.Equal(LoneModel.Say(Layout, generation.Sequences[0], engine.VocabularySize), await Read(generation), Said);
        Assert.Equal((0, 24 * 20L), (engine.Figures.Running, engine.Figures.GeneratedTokens));

        static bool Said((List<int> Tokens, FinishReason Reason) a, (List<int> Tokens, FinishReason Reason) b) =>
            a.Reason == b.Reason && a.Tokens.SequenceEqual(b.Tokens);
    }

    [Fact]
    public async Task An_idle_engine_wakes_though_every_thread_of_the_pool_is_busy()
    {
        await using var engine = Start();
        await Read(engine.Start(Ask(1), TestContext.Current.CancellationToken));
        var gate = new ManualResetEventSlim();
        // More than the pool adds threads for while anybody looks: what it is to do after these waits for them.
        for (var i = 0; i < 400; i++) ThreadPool.UnsafeQueueUserWorkItem(static held => held.WaitHandle.WaitOne(), gate, preferLocal: false);
        try
        {
            var generation = engine.Start(Ask(2), TestContext.Current.CancellationToken);
            Assert.True(SpinWait.SpinUntil(() => generation.Events.TryRead(out var happened) && happened is GenerationEvent.Finished, TimeSpan.FromSeconds(30)));
        }
        finally
        {
            gate.Set();
        }
    }

    [Fact]
    public async Task A_cancelled_token_ends_the_generation()
    {
        await using var engine = Start();
        using var leaving = new CancellationTokenSource();
        var generation = engine.Start(Ask(1, tokens: null), leaving.Token);
        await generation.Events.WaitToReadAsync(TestContext.Current.CancellationToken);
        await leaving.CancelAsync();
        Assert.Contains((await Read(generation)).Reason, new[] { FinishReason.Cancelled, FinishReason.Length });
        var never = engine.Start(Ask(1), new CancellationToken(canceled: true));
        Assert.Contains((await Read(never)).Reason, new[] { FinishReason.Cancelled, FinishReason.Length });
    }

    [Fact]
    public async Task Draining_lets_what_runs_come_to_its_end_and_refuses_the_rest()
    {
        await using var engine = Start();
        var generations = Enumerable.Range(0, 12).Select(i => engine.Start(Ask(i))).ToArray();
        await engine.DrainAsync(TestContext.Current.CancellationToken);
        Assert.Equal(RefusalReason.Stopping, Assert.Throws<RequestRefusedException>(() => engine.Start(Ask(1), TestContext.Current.CancellationToken)).Reason);
        foreach (var generation in generations) Assert.Equal(FinishReason.Length, (await Read(generation)).Reason);
    }

    [Fact]
    public async Task Disposing_cancels_what_runs()
    {
        var gate = new ManualResetEventSlim();
        var stopping = TestContext.Current.CancellationToken;
        var engine = Start(new(Layout, Pages) { OnForward = _ => gate.Wait(stopping) });
        var generations = Enumerable.Range(0, 12).Select(i => engine.Start(Ask(i))).ToArray();
        var ending = engine.DisposeAsync();
        gate.Set();
        await ending;
        foreach (var generation in generations) Assert.Equal(FinishReason.Cancelled, (await Read(generation)).Reason);
        Assert.True(engine.Ended.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_hurried_drain_cancels()
    {
        var gate = new ManualResetEventSlim();
        var stopping = TestContext.Current.CancellationToken;
        await using var engine = Start(new(Layout, Pages) { OnForward = _ => gate.Wait(stopping) });
        var generation = engine.Start(Ask(1), stopping);
        using var hurry = new CancellationTokenSource();
        var draining = engine.DrainAsync(hurry.Token);
        await hurry.CancelAsync();
        gate.Set();
        await draining;
        Assert.Equal(FinishReason.Cancelled, (await Read(generation)).Reason);
    }
}
