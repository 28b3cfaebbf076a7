using Serving.Devices;
using Serving.Model;

namespace Serving.Tests;

/// <summary>The table that says which prompts are expanded.</summary>
public sealed class ExecutionChoiceTests
{
    [Theory]
    [InlineData(512, 128, 128, 171)]    // DeepSeek-V2 and V3: 131072 / 768 = 170.7
    [InlineData(256, 64, 64, 86)]       // MiniCPM3: 32768 / 384 = 85.3
    [InlineData(34, 20, 14, 34)]
    [InlineData(128, 128, 128, null)]   // keys and values together are as wide as two latents
    [InlineData(64, 128, 128, null)]
    [InlineData(129, 128, 128, 16512)]
    public void The_crossover_is_where_rebuilding_takes_fewer_multiplications(int latent, int key, int value, int? expected)
    {
        Assert.Equal(expected, ExecutionChoice.Crossover(latent, key, value));
        if (expected is not { } tokens) return;
        // For so many rows that what a token costs once does not count.
        const long Rows = 1 << 20;
        Assert.True(Expanded(tokens) <= Absorbed(tokens));
        Assert.True(Expanded(tokens - 1) > Absorbed(tokens - 1));

        long Expanded(long given) => Rows * latent * (key + value) + given * Rows * (key + value);
        long Absorbed(long given) => given * Rows * 2 * latent;
    }

    // A processor, a graphics card, and machines that wait for memory or for products alone.
    [Theory]
    [InlineData(10e9, 100e9, 1 << 20, 171), InlineData(3.35e12, 989e12, 1 << 20, 171), InlineData(1e18, 1, 1 << 20, 171)]
    [InlineData(10e9, 100e9, 512, 149), InlineData(3.35e12, 989e12, 512, 149)]
    [InlineData(10e9, 100e9, 0, 10), InlineData(3.35e12, 989e12, 0, 178), InlineData(1e18, 1, 0, 1)]
    [InlineData(1, 1e18, 1 << 20, null), InlineData(1, 1e18, 0, null)]
    public void A_roofline_tells_from_how_many_tokens_on_rebuilding_is_faster(double bytes, double operations, int behind, int? expected) =>
        Assert.Equal(expected, ExecutionChoice.Crossover(new(16, 512, 64, 128, 128), behind, 1152, new(bytes, operations), 512));

    [Theory]
    [InlineData(512, 128, 128), InlineData(256, 64, 64), InlineData(128, 128, 128), InlineData(129, 128, 128), InlineData(64, 128, 128)]
    public void No_device_reverses_the_order_of_multiplications(int latent, int key, int value)
    {
        var sizes = new LatentSizes(8, latent, 32, key, value);
        var plain = new DeviceCeiling(double.MaxValue, 1);
        foreach (var device in (DeviceCeiling[])[new(1e9, 1e12), new(1e10, 1e11), new(3e12, 1e15)])
            foreach (var behind in (int[])[0, 100, 4000])
                for (var given = 1; given < 400; given += 7)
                {
                    int Order(DeviceCeiling at) => Math.Sign(Time(at, true) - Time(at, false));
                    double Time(DeviceCeiling at, bool expanded) => ExecutionChoice.Seconds(sizes, given, behind, 2 * (latent + 32), at, expanded);
                    Assert.True(Order(device) == 0 || Order(device) == Order(plain), $"{given} behind {behind} on {device}");
                }
    }

    [Theory]
    [InlineData(Execution.Auto, 171, 170, false)]
    [InlineData(Execution.Auto, 171, 171, true)]
    [InlineData(Execution.Auto, null, 1_000_000, false)]
    [InlineData(Execution.Absorbed, 171, 1_000_000, false)]
    [InlineData(Execution.Expanded, 171, 1, true)]
    [InlineData(Execution.Expanded, null, 1, true)]
    public void A_prompt_is_expanded_by_its_length_or_as_asked(Execution asked, int? crossover, int length, bool expanded) =>
        Assert.Equal(expanded, ExecutionChoice.Expands(asked, crossover, length));
}
