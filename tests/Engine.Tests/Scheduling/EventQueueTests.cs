using Serving.Attention;
using Serving.Scheduling;

namespace Serving.Tests;

public sealed class EventQueueTests
{
    [Fact]
    public void A_generation_that_nobody_reads_is_left_aside_and_goes_on_when_it_is_read()
    {
        using var lab = new EngineLab(Layouts.Of(4, RowPolicy.All), new([6000]), new() { MaxSequences = 4, TokensPerStep = 8 });
        var unread = lab.Loop.Submit(new() { Prompt = [1, 2, 3], MaxTokens = 9000 });
        var read = lab.Loop.Submit(new() { Prompt = [4, 5, 6], MaxTokens = 9000 });
        for (var heard = 0; heard < 9000;)
        {
            lab.Loop.Step();
            while (read.Events.TryRead(out var happened)) heard += happened is GenerationEvent.Token ? 1 : 0;
        }
        lab.Loop.Step();
        Assert.False(lab.Loop.Step());
        Assert.Equal(1, unread.Unfinished);
        var tokens = 0;
        do
            while (unread.Events.TryRead(out var happened)) tokens += happened is GenerationEvent.Token ? 1 : 0;
        while (lab.Loop.Step());
        while (unread.Events.TryRead(out var happened)) tokens += happened is GenerationEvent.Token ? 1 : 0;
        Assert.Equal((9000, 0), (tokens, unread.Unfinished));
    }

    [Fact]
    public async Task A_parked_engine_hears_that_its_reader_has_caught_up()
    {
        var layout = Layouts.Of(4, RowPolicy.All);
        var patience = TestContext.Current.CancellationToken;
        await using var engine = new LlmEngine(new FakeDecoder(layout, new([6000])), layout, new([6000]), new() { MaxSequences = 4, TokensPerStep = 8, PageTokens = 4 });
        using var generation = engine.Start(new() { Prompt = [1, 2, 3], MaxTokens = 9000 }, patience);
        while (engine.Figures.GeneratedTokens < 4096) await Task.Delay(5, patience);
        var tokens = 0;
        await foreach (var happened in generation.Events.ReadAllAsync(patience)) tokens += happened is GenerationEvent.Token ? 1 : 0;
        Assert.Equal(9000, tokens);
    }
}
