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
