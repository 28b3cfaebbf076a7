using Serving.Attention;
using Serving.Cache;
using Serving.Devices;
using Serving.Model;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>Sequences that give their pages up and have their rows copied back instead of computed again.</summary>
public sealed class SwapTests
{
    const int PageTokens = 4, Prompt = 24, Answer = 20;

    static readonly SwapCost Always = new(double.PositiveInfinity, 1, 1, 1, 1, 1), Never = new(1, 1, 1, 0, 0, 1);

    // Room for one sequence and a half on the device.
    static EngineLab Lab(int hostPages, SwapCost? cost = null, bool shares = false, bool states = false, params RowPolicy[] rows)
    {
        rows = rows.Length == 0 ? [RowPolicy.All] : rows;
        var layout = states ? Layouts.WithState(PageTokens, rows) : Layouts.Of(PageTokens, rows);
        CacheSize size = new([.. layout.Groups.Select(_ => 17)], states ? 4 : 0)
        {
            Swap = hostPages == 0 ? null : new([.. layout.Groups.Select(_ => hostPages)], states ? 4 : 0),
        };
        return new(layout, size, new() { MaxSequences = 4, TokensPerStep = 64, EnablePrefixCaching = shares, SwapCost = cost });
    }

    static GenerationRequest Ask(int first) => new()
    {
        Prompt = [.. Enumerable.Range(0, Prompt).Select(i => (first + i * 3) % 29)], MaxTokens = Answer, Sampling = new() { Temperature = 0 },
    };

    static void SaysWhatItSaysAlone(EngineLab lab)
    {
        foreach (var generation in lab.Generations)
        {
            var (tokens, reason) = lab.Alone(generation);
            var said = Heard.Of(generation).Choices[0];
            Assert.Equal(reason, said.End!.Reason);
            Assert.Equal(tokens, said.Tokens);
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void What_was_computed_is_not_computed_again(bool states)
    {
        using var lab = Lab(hostPages: 40, Always, states: states);
        for (var i = 0; i < 4; i++) lab.Submit(Ask(i));
        lab.Finish();
        var figures = lab.Figures;
        Assert.True(figures.Preemptions > 0);
        Assert.Equal(0, figures.PreemptedTokens);
        Assert.Equal(figures.SwappedOutTokens, figures.SwappedInTokens);
        Assert.Equal(figures.SwappedOutBytes, figures.SwappedInBytes);
        Assert.Equal(4 * (Prompt + Answer - 1), figures.Rows);
        SaysWhatItSaysAlone(lab);
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void Where_computing_again_is_cheaper_nothing_is_swapped()
    {
        using var lab = Lab(hostPages: 40, Never);
        for (var i = 0; i < 4; i++) lab.Submit(Ask(i));
        lab.Finish();
        Assert.Equal((0, 0), (lab.Figures.SwappedOutTokens, lab.Figures.SwappedOutBytes));
        Assert.True(lab.Figures.PreemptedTokens > 0);
        SaysWhatItSaysAlone(lab);
    }

    [Theory, InlineData(3), InlineData(6)]
    public void Host_memory_is_bounded_and_who_finds_none_computes_again(int hostPages)
    {
        using var lab = Lab(hostPages, Always, rows: [RowPolicy.All, new(Window: 9)]);
        for (var i = 0; i < 4; i++) lab.Submit(Ask(i));
        var most = 0L;
        while (lab.Step()) most = Math.Max(most, lab.Figures.SwapBytesHeld);
        Assert.InRange(most, 0, lab.Layout.Groups.Sum(group => group.PageBytes) * hostPages);
        Assert.True(lab.Figures.PreemptedTokens > 0);
        SaysWhatItSaysAlone(lab);
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void Pages_that_others_still_share_are_not_copied_back()
    {
        using var lab = Lab(hostPages: 40, Always, shares: true);
        for (var i = 0; i < 3; i++) lab.Submit(Ask(0) with { Sampling = new() { Temperature = 1, Seed = i } });
        lab.Finish();
        Assert.True(lab.Figures.SwappedInTokens > 0);
        Assert.True(lab.Figures.SwappedInBytes < lab.Figures.SwappedOutBytes, $"{lab.Figures.SwappedInBytes} of {lab.Figures.SwappedOutBytes} bytes came back");
        SaysWhatItSaysAlone(lab);
        lab.CheckNothingIsLeft();
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Who_leaves_while_their_rows_are_away_leaves_nothing_there(bool states)
    {
        using var lab = Lab(hostPages: 40, Always, states: states);
        for (var i = 0; i < 4; i++) lab.Submit(Ask(i));
        while (lab.Figures.SwapBytesHeld == 0) Assert.True(lab.Step());
        foreach (var generation in lab.Generations) generation.Cancel();
        lab.Finish();
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void Rows_that_were_lost_on_their_way_are_computed_again()
    {
        using var lab = Lab(hostPages: 40, Always);
        var fails = true;
        lab.Decoder.OnSwap = () =>
        {
            if (!fails) return;
            fails = false;
            throw new IOException("no way out");
        };
        for (var i = 0; i < 4; i++) lab.Submit(Ask(i));
        lab.Finish();
        Assert.False(fails);
        var ends = lab.Generations.Select(generation => (Generation: generation, Said: Heard.Of(generation).Choices[0])).ToArray();
        Assert.Contains(ends, end => end.Said.End!.Reason == FinishReason.Failed);
        Assert.Contains(ends, end => end.Said.End!.Reason == FinishReason.Length);
        foreach (var (generation, said) in ends.Where(end => end.Said.End!.Reason == FinishReason.Length)) Assert.Equal(lab.Alone(generation).Tokens, said.Tokens);
        lab.CheckNothingIsLeft();
    }

    [Fact]
    public void Cost_is_bytes_twice_over_the_link_against_the_roofline()
    {
        // 10 GB/s, 1 TFLOP/s, 100 GB/s, 1 GFLOP a token, 1 GB of weights, steps of 100 tokens.
        SwapCost cost = new(10e9, 1e12, 100e9, 1e9, 1e9, 100);
        Assert.Equal(0.2, cost.SwapSeconds(1_000_000_000), 9);
        Assert.Equal(0.01, cost.ComputeSeconds(1), 9); // the weights are read once
        Assert.Equal(0.1, cost.ComputeSeconds(100), 9); // bound by arithmetic
        Assert.True(cost.IsCheaper(499_000_000, 100));
        Assert.False(cost.IsCheaper(501_000_000, 100));
    }

    [Theory, InlineData("hf/qwen3"), InlineData("hf/qwen3_moe"), InlineData("schemes/mtla"), InlineData("schemes/cca"), InlineData("hf/gemma2")]
    public Task A_model_under_pressure_says_to_the_last_bit_what_it_says_with_room(string fixture) => SaysTheSameUnderPressureAsync(fixture, () => new CpuDevice(1));

    /// <summary>Four sequences that outgrow the cache together, swap, and say what they say in a cache that holds them all.</summary>
    internal static async Task SaysTheSameUnderPressureAsync(string fixture, Func<IDevice> device)
    {
        var options = new EngineOptions { PageTokens = PageTokens, TokensPerStep = 16, MaxSequences = 4, MaxModelLength = 64, SwapCost = Always };
        CacheLayout layout;
        Said[] expected;
        await using (var roomy = new LoadedModel(Checkpoint.OpenFolder(Fixtures.Path(fixture)), device(), options with { CacheBytes = 8 << 20 }))
        {
            layout = roomy.Layout;
            expected = await AskAllAsync(roomy);
            Assert.Equal(0, roomy.Engine.Figures.Preemptions);
        }

        await using var pressed = new LoadedModel(Checkpoint.OpenFolder(Fixtures.Path(fixture)), device(), options with
        {
            CacheBytes = (long)(2.4 * layout.SequenceBytes(40, 16)) + 8 * layout.States.PlaceBytes, SnapshotBytes = 0,
            SwapBytes = 8 * (layout.SequenceBytes(64, 16) + 2 * layout.States.PlaceBytes),
        });
        var said = await AskAllAsync(pressed);
        for (var i = 0; i < said.Length; i++) Said.Same($"request {i}", expected[i], said[i]);
        var figures = pressed.Engine.Figures;
        Assert.True(figures.SwappedInTokens > 0 && figures.PreemptedTokens == 0, $"Nothing was swapped: {figures}");
        Assert.Equal(0, figures.SwapBytesHeld);
    }

    static async Task<Said[]> AskAllAsync(LoadedModel model) => await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Said.AskAsync(model, new()
    {
        Prompt = [.. Enumerable.Range(0, 9 + i).Select(k => 3 + (k * 7 + i * 13) % 90)], MaxTokens = 30, Sampling = new() { Temperature = 0.9f, Seed = i, Logprobs = 0 },
    })));
}
