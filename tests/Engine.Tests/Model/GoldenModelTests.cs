using Serving.Devices;
using Serving.Devices.Cpu;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>Every model fixture against the logits, hidden states and greedy ids of the reference libraries.</summary>
public abstract class GoldenModelTests(Func<IDevice> device, Func<string, bool>? isQuick = null)
{
    public static TheoryData<string, string> Models()
    {
        var data = new TheoryData<string, string>();
        foreach (var kind in (string[])["hf", "schemes"])
            foreach (var folder in Directory.GetDirectories(Fixtures.Path(kind)).Order(StringComparer.Ordinal))
                foreach (var config in (string[])["config.json", "config.old.json"])
                    if (File.Exists(Path.Combine(folder, config))) data.Add($"{kind}/{Path.GetFileName(folder)}", config);
        foreach (var file in Directory.GetFiles(Fixtures.Path("gguf"), "*.gguf").Order(StringComparer.Ordinal))
            data.Add($"gguf/{Path.GetFileName(file)}", "");
        return data;
    }

    [Theory, MemberData(nameof(Models))]
    public void Prefill_gives_the_golden_logits_whole_and_in_chunks(string model, string config)
    {
        SkipUnlessWanted(model);
        using var golden = Golden.Open(model);
        using var harness = new DecoderHarness(Open(model, config), device());
        foreach (var test in golden.Cases)
        {
            harness.Places = test.Places;
            var whole = harness.Prefill(test.Prompt, test.Prompt.Length, test.Limit);
            Golden.Near(test.Logits, whole, golden.Tolerance, $"{model} case {test.Number}");
            foreach (var chunk in (int[])[1, 7])
                Assert.Equal(whole, harness.Prefill(test.Prompt, chunk, test.Limit));
        }
    }

    [Theory, MemberData(nameof(Models))]
    public void Hidden_states_are_golden_after_every_layer(string model, string config)
    {
        SkipUnlessWanted(model);
        using var golden = Golden.Open(model);
        using var harness = new DecoderHarness(Open(model, config), device());
        var seen = 0;
        harness.Decoder.Probe = (layer, hidden) =>
        {
            if (golden.Hidden(layer) is not { } expected) return;
            seen++;
            Golden.Near([expected], [harness.Read(hidden)], golden.Tolerance, $"{model} hidden {layer}");
        };
        var test = golden.Cases[0];
        harness.Places = test.Places;
        harness.Prefill(test.Prompt, test.Prompt.Length, test.Limit);
        Assert.True(seen == golden.HiddenStates, $"{seen} of {golden.HiddenStates} hidden states were compared.");
    }

    [Theory, MemberData(nameof(Models))]
    public void Greedy_decoding_gives_the_golden_ids(string model, string config)
    {
        SkipUnlessWanted(model);
        using var golden = Golden.Open(model);
        using var harness = new DecoderHarness(Open(model, config), device());
        foreach (var test in golden.Cases)
        {
            harness.Places = test.Places;
            var logits = harness.Prefill(test.Prompt, test.Prompt.Length, test.Limit)[^1];
            for (var i = 0; i < test.GreedyIds.Length; i++)
            {
                Golden.Near([test.GreedyLogits[i]], [logits], golden.Tolerance, $"{model} case {test.Number} step {i}");
                var id = Array.IndexOf(logits, logits.Max());
                Assert.Equal(test.GreedyIds[i], id);
                logits = harness.Run([id], test.Prompt.Length + i, test.Limit)[0];
            }
        }
    }

    void SkipUnlessWanted(string model) =>
        Assert.SkipUnless(Fixtures.All || isQuick is null || isQuick(model), "All models take minutes on this device; tests/run --all runs them.");

    static Checkpoint Open(string model, string config) =>
        config == "" ? Checkpoint.Open(Fixtures.Path(model)) : Checkpoint.OpenFolder(Fixtures.Path(model), config);
}

public sealed class ReferenceGoldenModelTests() : GoldenModelTests(() => new ReferenceDevice());

public sealed class CpuGoldenModelTests() : GoldenModelTests(() => new CpuDevice());

// The kernels and the driver's calls of a GPU, on the host: always the models that between them call every kernel.
public sealed class CudaGoldenModelTests() : GoldenModelTests(CudaEmulator.Device, model => Quick.Contains(model))
{
    static readonly string[] Quick =
    [
        "schemes/mla", "schemes/mfa_kr", "schemes/eg_mla", "schemes/gla", "schemes/mtla", "schemes/cca", "hf/deepseek_v3", "hf/gpt_oss", "hf/kimi_linear",
        "hf/qwen2_window", "gguf/q4_k.gguf",
    ];
}
