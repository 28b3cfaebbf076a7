using Serving.Cache;
using Serving.Devices;
using Serving.Devices.Reference;
using Serving.Model;
using Serving.Scheduling;

namespace Serving.Tests;

/// <summary>How well the embedded model predicts a text: through the engine, and as the plainest device finds it.</summary>
public sealed class PerplexityTests
{
    const int Window = 256, Windows = 2;

    /// <summary>What the reference device finds, computed by the last test of this class.</summary>
    const double Reference = 25.2139147;

    [Theory, InlineData(CacheType.Float32, 1e-3), InlineData(CacheType.BFloat16, 1e-2)]
    public async Task The_engine_predicts_as_well_as_the_reference(CacheType cache, double tolerance)
    {
        await using var model = RealModels.Load(RealModels.Embedded, new()
        {
            CacheType = cache, CacheBytes = 64 << 20, MaxModelLength = 512, MaxSequences = 8, TokensPerStep = 96,
        });
        var generations = Texts(model.Checkpoint).Select(window => model.Engine.Start(
            new() { Prompt = [.. window], MaxTokens = 0, PromptLogprobs = 0 }, TestContext.Current.CancellationToken)).ToArray();
        var (loss, scored) = (0.0, 0);
        foreach (var generation in generations)
        {
            await foreach (var happened in generation.Events.ReadAllAsync(TestContext.Current.CancellationToken))
            {
                if (happened is not GenerationEvent.Prompt prompt) continue;
                loss -= prompt.Logprobs.Sum(token => (double)token.Logprob!.Value);
                scored += prompt.Logprobs.Length;
            }
        }

        Assert.Equal(Windows * (Window - 1), scored);
        var perplexity = Math.Exp(loss / scored);
        Assert.InRange(perplexity / Reference, 1 - tolerance, 1 + tolerance);
    }

    [Fact]
    public void The_reference_is_what_the_plainest_device_finds()
    {
        Assert.SkipUnless(Fixtures.All, "Takes minutes; tests/run --all runs it.");
        using var harness = new DecoderHarness(Checkpoint.Open(RealModels.Folder(RealModels.Embedded)), new ReferenceDevice());
        using var checkpoint = Checkpoint.Open(RealModels.Folder(RealModels.Embedded));
        var loss = 0.0;
        foreach (var window in Texts(checkpoint))
        {
            var logits = harness.Prefill(window, chunk: 32, Window);
            for (var i = 1; i < Window; i++) loss += LogSumExp(logits[i - 1]) - logits[i - 1][window[i]];
        }

        Assert.Equal(Reference, Math.Exp(loss / (Windows * (Window - 1))), 1e-4);
    }

    static int[][] Texts(Checkpoint checkpoint)
    {
        var text = File.ReadAllText(Fixtures.Path("text/wikitext-2-valid.head.txt"));
        var ids = CheckpointTokenizer.Load(checkpoint)!.Encode(text, addSpecial: false, parseSpecial: false);
        return [.. ids.Chunk(Window).Take(Windows)];
    }

    static double LogSumExp(float[] row)
    {
        double most = row.Max();
        return most + Math.Log(row.Sum(value => Math.Exp(value - most)));
    }
}
