using Serving.Cache;
using Serving.Devices;
using Serving.Devices.Cuda;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>Steps that are repeated as graphs: they say what launches one by one say, to the last bit, and cost the host one launch and one wait.</summary>
public sealed class CudaGraphTests
{
    const int Longest = 48;

    // Small pages, so that sequences grow into new ones, and room for less than all of them.
    static readonly EngineOptions Options = new()
    {
        CacheType = CacheType.BFloat16, PageTokens = 6, MaxSequences = 5, TokensPerStep = 16, MaxModelLength = Longest, SnapshotTokens = 6,
    };

    public static TheoryData<string> Fixtured =>
        ["hf/deepseek_v3", "schemes/mfa_step3", "hf/qwen3", "hf/kimi_linear", .. Fixtures.All ? ["schemes/mtla", "hf/gemma3_text", "schemes/eg_mla", "hf/qwen3_moe"] : Array.Empty<string>()];

    [Theory, MemberData(nameof(Fixtured))]
    public void A_crowd_that_comes_and_goes_is_told_the_same_bits_with_graphs_and_without(string fixture)
    {
        using var driver = new EmulatedDriver();
        var plain = Play(fixture, driver, graphs: false, out _);
        Assert.Equal(0, driver.Figure("cuGraphLaunch"));
        var graphed = Play(fixture, driver, graphs: true, out var preemptions);

        Assert.Equal(plain, graphed);
        Assert.True(preemptions > 0, "nobody was preempted");
        Assert.InRange(driver.Figure("cuGraphInstantiateWithFlags"), 3, StepGraphs.Most);
        Assert.True(driver.Figure("cuGraphLaunch") >= 10, $"{driver.Figure("cuGraphLaunch")} steps were graphs");
        Assert.Equal(driver.Figure("cuGraphInstantiateWithFlags"), driver.Figure("cuGraphExecDestroy"));
        Assert.Equal(driver.Figure("cuGraphInstantiateWithFlags"), driver.Figure("cuGraphDestroy"));
    }

    // Sequences come one after the other and end one after the other, so that sizes are crossed both ways; one is cancelled.
    static string[] Play(string fixture, EmulatedDriver driver, bool graphs, out long preemptions)
    {
        using var decoder = new PagedDecoder(
            Fixtures.Path(fixture), Options, Room, new CudaDevice(driver.Options with { Graphs = graphs }));
        using var engine = decoder.Engine();
        var generations = new List<Generation>();
        for (var i = 0; i < 5; i++)
        {
            generations.Add(engine.Submit(Request(i, length: 7 + 3 * i, tokens: 26 - 4 * i)));
            for (var step = 0; step < 3; step++) engine.Step();
        }
        generations[1].Cancel();
        engine.Finish();
        engine.CheckNothingIsLeft();
        preemptions = engine.Figures.Preemptions;
        return [.. generations.Where((_, i) => i != 1).Select(generation => Heard.Of(generation).Choices[0]).Select(choice => choice.End?.Error
            ?? string.Join(" ", choice.Tokens.Zip(choice.Logprobs, (token, score) => $"{token}:{BitConverter.SingleToInt32Bits(score!.Value):x}")))];
    }

    [Fact]
    public void A_step_of_single_tokens_is_one_launch_one_wait_and_a_few_copies()
    {
        using var driver = new EmulatedDriver();
        using var decoder = new PagedDecoder(
            Fixtures.Path("hf/deepseek_v3"), Options with { PageTokens = 16 }, layout => Room(layout, 5), new CudaDevice(driver.Options));
        using var engine = decoder.Engine();
        for (var i = 0; i < 3; i++) engine.Submit(Request(i, length: 12, tokens: 30));
        for (var step = 0; step < 6; step++) engine.Step();

        for (var step = 0; step < 8; step++)
        {
            var before = Counts(driver);
            engine.Step();
            var made = Counts(driver).Zip(before, (now, then) => now - then).ToArray();
            // launches, graphs, waits for the stream, waits for an event, results
            Assert.Equal([0, 1, 1, 0, 1], made[..5]);
            // Tokens, angles, positions and units; and where a page was added, page tables.
            Assert.InRange(made[5], 1, 9);
        }

        static long[] Counts(EmulatedDriver driver) =>
        [
            driver.Figure("cuLaunchKernel"), driver.Figure("cuGraphLaunch"), driver.Figure("cuStreamSynchronize"), driver.Figure("cuEventSynchronize"),
            driver.Figure("cuMemcpyDtoHAsync_v2"), driver.Figure("cuMemcpyHtoDAsync_v2"),
        ];
    }

    [Theory, InlineData("cuStreamBeginCapture_v2"), InlineData("cuStreamEndCapture"), InlineData("cuGraphInstantiateWithFlags")]
    public void A_driver_that_makes_no_graphs_is_told_of_once_and_steps_go_on_as_they_come(string call)
    {
        using var driver = new EmulatedDriver();
        driver.Fail(call, status: 801);
        var told = new List<string>();
        using var device = new CudaDevice(driver.Options with { Tell = told.Add });
        var (sum, values) = (Tensor.Matrix(device.Allocate(64), 1, 4), new float[4]);
        for (var step = 0; step < 4; step++)
        {
            device.BeginStep(repeats: true);
            device.Write([1 + step, 2, 3, 4], sum);
            device.Add(sum, 1, sum);
            device.Scale(sum, 2, default);
            device.Read(sum, values);
            Assert.Equal([4 * (1 + step), 8, 12, 16], values);
        }
        Assert.Contains(call, Assert.Single(told));
        Assert.False(device.RepeatsSteps);
        Assert.Equal(0, driver.Figure("cuGraphLaunch"));
    }

    [Fact]
    public void What_changes_on_its_way_through_a_step_is_read_as_it_was_at_each_launch()
    {
        using var driver = new EmulatedDriver();
        using var device = new CudaDevice(driver.Options);
        var (tensor, rows) = (Tensor.Matrix(device.Allocate(64), 2, 4), new float[8]);
        var sum = Tensor.Matrix(device.Allocate(64), 2, 4);
        for (var step = 0; step < 6; step++)
        {
            device.BeginStep(repeats: true);
            // Values are written between two launches that read them, rows are named anew, and memory comes while launches wait.
            device.Write([1, 2, 3, 4, 5, 6, 7, 8], tensor);
            device.Gather(tensor, [step % 2, 1], sum);
            device.Write([step, 0, 0, 0, 0, 0, 0, 10], tensor);
            device.Add(tensor, 1, sum);
            if (step == 4) device.Free(device.Allocate(64));
            device.Gather(sum, [1, 0], tensor);
            device.Read(tensor, rows);
            var first = step % 2 == 0 ? (float[])[1, 2, 3, 4] : [5, 6, 7, 8];
            Assert.Equal([5, 6, 7, 18, first[0] + step, first[1], first[2], first[3]], rows);
        }
        Assert.True(driver.Figure("cuGraphLaunch") >= 3);
    }

    [Fact]
    public void Steps_that_differ_in_a_launch_or_in_their_length_have_graphs_of_their_own()
    {
        using var driver = new EmulatedDriver();
        using var device = new CudaDevice(driver.Options);
        var (sum, one) = (Tensor.Matrix(device.Allocate(64), 1, 4), Tensor.Matrix(device.Allocate(64), 1, 4));
        var rows = new float[4];
        device.Write([1, 1, 1, 1], one);
        for (var step = 0; step < 12; step++)
        {
            device.BeginStep(repeats: true);
            device.Write([0, 0, 0, 0], sum);
            device.Add(one, 1, sum);
            device.Add(one, 2, sum);
            if (step % 3 > 0) device.Add(one, step % 3 * 3, sum);
            device.Read(sum, rows);
            Assert.Equal(3 + step % 3 * 3, rows[0]);
        }
        Assert.Equal(3, driver.Figure("cuGraphInstantiateWithFlags"));
        Assert.Equal(9, driver.Figure("cuGraphLaunch"));
    }

    [Fact]
    public void There_are_never_more_graphs_than_the_bound_and_all_are_given_back()
    {
        using var driver = new EmulatedDriver();
        using (var device = new CudaDevice(driver.Options))
        {
            var (sum, values) = (Tensor.Matrix(device.Allocate(64), 1, 4), new float[4]);
            for (var kind = 1; kind <= StepGraphs.Most + 5; kind++)
                for (var time = 0; time < 2; time++)
                {
                    device.BeginStep(repeats: true);
                    device.Scale(sum, kind, default);
                    device.Read(sum, values);
                }
            Assert.Equal(StepGraphs.Most + 5, driver.Figure("cuGraphInstantiateWithFlags"));
            Assert.Equal(5, driver.Figure("cuGraphExecDestroy"));
        }
        Assert.Equal(StepGraphs.Most + 5, driver.Figure("cuGraphExecDestroy"));
    }

    [Fact]
    public void Launches_are_compared_by_what_their_arguments_say_and_not_by_what_lies_between()
    {
        var (list, launch) = (new LaunchList(), new Launch(1, new(2), 3, 4));
        list.Add(launch, Gapped(0x00));
        Assert.True(list.Is(0, launch, Gapped(0xee)));
        Assert.False(list.Is(0, launch, Gapped(0x00) with { Number = 6 }));
        Assert.False(list.Is(0, launch with { Grid = new(3) }, Gapped(0x00)));
        Assert.False(list.Is(1, launch, Gapped(0x00)));
    }

    static unsafe GappedArgument Gapped(byte between)
    {
        GappedArgument argument;
        new Span<byte>(&argument, sizeof(GappedArgument)).Fill(between);
        (argument.Address, argument.Number) = (7, 5);
        return argument;
    }

    record struct GappedArgument
    {
        public nint Address;
        public int Number;
    }

    static GenerationRequest Request(int i, int length, int tokens) => new()
    {
        Prompt = [.. Enumerable.Range(0, length).Select(k => 3 + (k * 7 + i * 13) % 100)],
        MaxTokens = tokens,
        Sampling = new() { Temperature = 0.9f, Seed = i, Logprobs = 0 },
    };

    static CacheSize Room(CacheLayout layout) => Room(layout, sequences: 2);

    static CacheSize Room(CacheLayout layout, int sequences) => new(
        [.. layout.Groups.Select(group => sequences * group.PagesOver(Longest))],
        layout.States.PlaceBytes > 0 ? 5 : 0, layout.States.NeedsSnapshots ? 8 : 0);
}
