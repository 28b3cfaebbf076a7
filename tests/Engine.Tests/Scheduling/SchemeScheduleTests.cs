using Serving.Devices;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>
/// Crowded engines on every attention scheme: chunks of any size, forks, preemptions and prefix hits at any position, batches of strangers and
/// cache types. Whatever happens, everybody says, to the last bit, what they say alone in one piece.
/// </summary>
public sealed class SchemeScheduleTests
{
    static readonly int Schedules = Fixtures.Rounds(10);

    public static TheoryData<string> Schemes() =>
        [.. Directory.GetDirectories(Fixtures.Path("schemes")).Order(StringComparer.Ordinal).Select(folder => $"schemes/{Path.GetFileName(folder)}")];

    [Theory, MemberData(nameof(Schemes))]
    public void Everyone_says_in_a_crowd_what_they_say_alone(string fixture)
    {
        var (preemptions, hits) = (0L, 0L);
        for (var seed = 1000; seed < 1000 + Schedules; seed++)
        {
            try
            {
                var figures = RealScheduleTests.Play(Fixtures.Path(fixture), new Random(seed));
                preemptions += figures.Preemptions;
                hits += figures.PrefixHits;
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"Schedule of seed {seed}: {exception.Message}", exception);
            }
        }

        Assert.True(preemptions > 0 && hits > 0, $"Not crowded enough: {(preemptions, hits)}");
    }

    [Fact]
    public void A_prefix_whose_state_was_not_kept_is_a_miss_of_its_own()
    {
        // Room for one snapshot, which the second prompt's writes over.
        var options = new EngineOptions { PageTokens = 4, MaxSequences = 2, TokensPerStep = 16, SnapshotTokens = 8 };
        using var decoder = new PagedDecoder(Fixtures.Path("schemes/cca"), options, layout => new([.. layout.Groups.Select(_ => 100)], Places: 2, Snapshots: 1), threads: 1);
        using var engine = decoder.Engine();
        int[][] prompts = [[.. Enumerable.Range(1, 14)], [.. Enumerable.Range(50, 14)]];
        foreach (var prompt in (int[][])[prompts[0], prompts[1], prompts[0]])
        {
            engine.Submit(new() { Prompt = [.. prompt], MaxTokens = 1 });
            engine.Finish();
        }
        var figures = engine.Figures;
        Assert.Equal((1, 2, 0), (figures.PrefixMissesSnapshot, figures.PrefixMissesUnseen, figures.PrefixHits));
        Assert.Equal(12, figures.SnapshotMissedTokens);
        Assert.True(figures.SnapshotEvictions > 0);
    }

    [Fact]
    public void Tokens_of_images_in_shared_pages_and_among_strangers_give_the_golden_ids()
    {
        using var golden = Golden.Open("schemes/mha2mla_vlm");
        var options = new EngineOptions { PageTokens = 3, MaxSequences = 4, TokensPerStep = 11, CacheType = CacheType.Float32 };
        using var decoder = new PagedDecoder(Fixtures.Path("schemes/mha2mla_vlm"), options, layout => new([.. layout.Groups.Select(_ => 200)]), threads: 1);
        using var engine = decoder.Engine();
        for (var round = 0; round < 2; round++)
        {
            Generation[] generations = [.. golden.Cases.Select(test => engine.Submit(new() { Prompt = [.. test.Prompt], MaxTokens = test.GreedyIds.Length, Sampling = new() { Temperature = 0 } }))];
            engine.Finish();
            Assert.Equal(golden.Cases.Select(test => test.GreedyIds), generations.Select(generation => Heard.Of(generation).Choices[0].Tokens.ToArray()));
        }
        Assert.True(engine.Figures.PrefixHits >= 3);
    }
}
