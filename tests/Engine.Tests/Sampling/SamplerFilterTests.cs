using Serving.Sampling;

namespace Serving.Tests;

/// <summary>Each filter at its edges, and the order in which they apply.</summary>
public sealed class SamplerFilterTests
{
    static readonly float[] Row = Rows.OfProbabilities(0.1, 0.4, 0.2, 0.3);
    static readonly int[] BestFirst = [1, 3, 2, 0];
    static readonly float[] Flat = [2, 2, 2, 2];

    [Fact]
    public void Defaults_keep_every_token() => Assert.Equal([0, 1, 2, 3], Rows.Drawn(Row, new()));

    [Theory]
    [InlineData(-1, 4)]
    [InlineData(0, 4)]
    [InlineData(1, 1)]
    [InlineData(3, 3)]
    [InlineData(4, 4)]
    [InlineData(1000, 4)]
    public void Top_k_keeps_the_lowest_ids_of_equals(int k, int kept)
    {
        Assert.Equal(Enumerable.Range(0, kept), Rows.Drawn(Flat, new() { TopK = k }));
        Assert.Equal(BestFirst[..kept].Order(), Rows.Drawn(Row, new() { TopK = k }));
    }

    [Theory]
    [InlineData(0f, new[] { 1 })]
    [InlineData(0.39f, new[] { 1 })]
    [InlineData(0.41f, new[] { 1, 3 })]
    [InlineData(0.89f, new[] { 1, 2, 3 })]
    [InlineData(1f, new[] { 0, 1, 2, 3 })]
    public void Top_p_keeps_the_token_that_reaches_it(float p, int[] kept) => Assert.Equal(kept, Rows.Drawn(Row, new() { TopP = p }));

    [Fact]
    public void Top_p_reached_exactly_stops_there_and_prefers_low_ids() => Assert.Equal([0, 1], Rows.Drawn(Flat, new() { TopP = 0.5f }));

    [Theory]
    [InlineData(0f, new[] { 0, 1, 2, 3 })]
    [InlineData(0.49f, new[] { 1, 2, 3 })]
    [InlineData(0.74f, new[] { 1, 3 })]
    [InlineData(1f, new[] { 1 })]
    public void Min_p_is_a_share_of_the_best(float p, int[] kept) => Assert.Equal(kept, Rows.Drawn(Row, new() { MinP = p }));

    [Fact]
    public void Min_p_of_one_keeps_all_equals() => Assert.Equal([0, 1, 2, 3], Rows.Drawn(Flat, new() { MinP = 1 }));

    // The entropy is 1.28 nats; the informations are 2.30, 0.92, 1.61 and 1.20, so token 3 is the most typical, then 2, 1 and 0.
    [Theory]
    [InlineData(0f, new[] { 3 })]
    [InlineData(0.29f, new[] { 3 })]
    [InlineData(0.31f, new[] { 2, 3 })]
    [InlineData(0.51f, new[] { 1, 2, 3 })]
    [InlineData(1f, new[] { 0, 1, 2, 3 })]
    public void Typical_p_keeps_what_is_near_the_entropy(float p, int[] kept) => Assert.Equal(kept, Rows.Drawn(Row, new() { TypicalP = p }));

    [Fact]
    public void Top_p_measures_what_top_k_left()
    {
        // Of 0.4 and 0.3 the first has 0.57; of the whole row it would not have reached 0.5.
        Assert.Equal([1], Rows.Drawn(Row, new() { TopK = 2, TopP = 0.5f }));
        Assert.Equal([1, 3], Rows.Drawn(Row, new() { TopP = 0.5f }));
    }

    [Fact]
    public void Typical_p_measures_what_top_k_left()
    {
        // Typical first would leave 3 and 2 alone, and top_k could keep only those.
        Assert.Equal([1], Rows.Drawn(Row, new() { TopK = 2, TypicalP = 0.5f }));
        Assert.Equal([2, 3], Rows.Drawn(Row, new() { TypicalP = 0.5f }));
    }

    [Fact]
    public void Top_p_measures_what_typical_p_left()
    {
        // Top_p first would leave token 1 alone, the best; typical first rules it out.
        Assert.Equal([3], Rows.Drawn(Row, new() { TypicalP = 0.5f, TopP = 0.5f }));
        Assert.Equal([3], Rows.Drawn(Row, new() { TypicalP = 0.5f, TopP = 0 }));
    }

    [Fact]
    public void Min_p_looks_at_the_heated_distribution()
    {
        Assert.Equal([1, 3], Rows.Drawn(Row, new() { MinP = 0.6f }));
        Assert.Equal([1, 2, 3], Rows.Drawn(Row, new() { MinP = 0.6f, Temperature = 2 }));
    }

    [Theory]
    [InlineData(1e-45f)]
    [InlineData(1e-20f)]
    public void A_vanishing_temperature_leaves_the_best_and_its_equals(float temperature)
    {
        Assert.Equal([1], Rows.Drawn(Row, new() { Temperature = temperature }));
        Assert.Equal([0, 1, 2, 3], Rows.Drawn(Flat, new() { Temperature = temperature }));
    }

    [Fact]
    public void The_largest_temperature_makes_all_tokens_equal() =>
        Assert.Equal([0, 1, 2], Rows.Drawn([-1e30f, 5, 1e30f, float.NegativeInfinity], new() { Temperature = float.MaxValue }));

    [Theory]
    [InlineData(100, 3000)]
    [InlineData(700, 3000)]
    [InlineData(2999, 3000)]
    public void Top_k_on_rows_that_rise_fall_or_stand_still_keeps_the_right_tokens(int k, int length)
    {
        var rising = Enumerable.Range(0, length).Select(i => i / 8 * 1f).ToArray();
        foreach (var row in new[] { rising, [.. rising.Reverse()], new float[length], [.. rising.Select(x => x % 7)] })
        {
            var candidates = new Candidates();
            candidates.Reserve(length);
            candidates.Take(row, k, float.MinValue);
            var expected = Enumerable.Range(0, length).OrderByDescending(i => row[i]).ThenBy(i => i).Take(k).Order();
            Assert.Equal(expected, candidates.Ids.ToArray());
        }
    }
}
