using Serving.Devices;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>Models that cache latents, with given tokens expanded and generated ones absorbed, against the reference libraries.</summary>
public abstract class ExpandedModelTests(Func<IDevice> device)
{
    public static TheoryData<string> Models() =>
    [
        .. from kind in (string[])["hf", "schemes"]
           from folder in Directory.GetDirectories(Fixtures.Path(kind)).Order(StringComparer.Ordinal)
           where File.ReadAllText(Path.Combine(folder, "config.json")).Contains("\"kv_lora_rank\"", StringComparison.Ordinal)
           select $"{kind}/{Path.GetFileName(folder)}",
    ];

    [Theory, MemberData(nameof(Models))]
    public void An_expanded_prompt_gives_the_golden_logits_whole_and_in_chunks(string model)
    {
        using var golden = Golden.Open(model);
        using var harness = Open(model);
        // Where a score needs the key itself, keys are always rebuilt; where tokens share a row, never: there is nothing to choose.
        Assert.Contains(harness.Plan.Attentions, plan =>
            plan.CanExpand || plan.Branches.Any(branch => branch.NeedsKeys) || plan.Streams.Any(stream => stream.Stride > 1));
        foreach (var test in golden.Cases)
        {
            var whole = harness.Prefill(test.Prompt, test.Prompt.Length, test.Limit, expanded: true);
            Golden.Near(test.Logits, whole, golden.Tolerance, $"{model} case {test.Number}");
            foreach (var chunk in (int[])[1, 7])
                Assert.Equal(whole, harness.Prefill(test.Prompt, chunk, test.Limit, expanded: true));
        }
    }

    [Theory, MemberData(nameof(Models))]
    public void Tokens_after_an_expanded_prompt_are_golden(string model)
    {
        using var golden = Golden.Open(model);
        using var harness = Open(model);
        foreach (var test in golden.Cases)
        {
            var logits = harness.Prefill(test.Prompt, test.Prompt.Length, test.Limit, expanded: true)[^1];
            for (var i = 0; i < test.GreedyIds.Length; i++)
            {
                Golden.Near([test.GreedyLogits[i]], [logits], golden.Tolerance, $"{model} case {test.Number} step {i}");
                logits = harness.Run([test.GreedyIds[i]], test.Prompt.Length + i, test.Limit)[0];
            }
        }
    }

    DecoderHarness Open(string model) => new(Checkpoint.OpenFolder(Fixtures.Path(model)), device(), expands: true);
}

public sealed class ReferenceExpandedModelTests() : ExpandedModelTests(() => new ReferenceDevice());

public sealed class CpuExpandedModelTests() : ExpandedModelTests(() => new CpuDevice());
