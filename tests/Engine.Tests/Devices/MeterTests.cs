using Serving.Devices;
using Serving.Devices.Cpu;

namespace Serving.Tests;

/// <summary>What is measured runs, and counts what it reads; how long it takes is for people.</summary>
public sealed class MeterTests
{
    [Fact]
    public void Every_kind_of_rows_and_states_is_measured()
    {
        using var device = new CpuDevice(1);
        var costs = AttendMeter.Measure(device, sequences: 2, length: 66, repeats: 1, CacheType.BFloat16);
        Assert.All(costs, cost => Assert.True(cost is { Bytes: > 0, Products: > 0, Seconds: > 0 }, cost.Kind));
        // Keys and values of 16 heads in 16 bits; a latent and a rotary key; rows of two tokens, and a sum in float32 that is read and written.
        Assert.Equal(2 * 66 * 16 * 2 * 128 * 2, costs[0].Bytes);
        Assert.Equal(2 * 66 * (512 + 64) * 2, costs[1].Bytes);
        Assert.Equal(2 * 33 * (256 + 64) * 2 + 2 * 2 * 256 * 4, costs.Single(cost => cost.Kind.Contains("two tokens share")).Bytes);
        Assert.Equal(costs.Count, costs.Select(cost => cost.Kind).Distinct().Count());
    }

    [Fact]
    public void Both_executions_are_measured()
    {
        using var device = new CpuDevice(1);
        Assert.Equal([1, 5], ExecutionMeter.Measure(device, behind: 3, [1, 5], repeats: 1, CacheType.Float32).Select(cost => cost.Tokens));
    }

    [Theory]
    [InlineData(new[] { 1.0, 1, 1 }, new[] { 2.0, 2, 2 }, null)]
    [InlineData(new[] { 1.0, 1, 1 }, new[] { 0.5, 0.5, 0.5 }, 10.0)]
    [InlineData(new[] { 1.0, 1, 4 }, new[] { 2.0, 2, 2 }, 30.0)]
    [InlineData(new[] { 2.0, 1, 4 }, new[] { 1.0, 2, 2 }, 30.0)]
    public void Rebuilding_is_faster_from_the_last_crossing_on(double[] absorbed, double[] expanded, double? tokens) => Assert.Equal(
        tokens, ExecutionMeter.Crossover([.. absorbed.Zip(expanded).Select((pair, i) => new ExecutionCost(10 << i, pair.First, pair.Second))]));
}
