using System.Diagnostics.CodeAnalysis;
using Serving.Devices;
using Serving.Devices.Cpu;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>A device that models are compared on.</summary>
public interface IGoldenDevice
{
    static abstract IDevice Create();

    /// <summary>Whether a model is compared on it this time.</summary>
    static virtual bool Takes(string model) => true;
}

/// <summary>Every model fixture against the logits, hidden states and greedy ids of the reference libraries.</summary>
public abstract class GoldenModelTests<TDevice> where TDevice : IGoldenDevice
{
    [SuppressMessage("Design", "CA1000", Justification = "Rows of a theory belong to the class that is tested.")]
    public static TheoryData<string, string> Models()
    {
        var data = new TheoryData<string, string>();
        foreach (var kind in (string[])["hf", "schemes"])
            foreach (var folder in Directory.GetDirectories(Fixtures.Path(kind)).Order(StringComparer.Ordinal))
                foreach (var config in (string[])["config.json", "config.old.json"])
                    if (File.Exists(Path.Combine(folder, config))) Add($"{kind}/{Path.GetFileName(folder)}", config);
        foreach (var file in Directory.GetFiles(Fixtures.Path("gguf"), "*.gguf").Order(StringComparer.Ordinal))
            Add($"gguf/{Path.GetFileName(file)}", "");
        return data;

        void Add(string model, string config)
        {
            if (TDevice.Takes(model)) data.Add(model, config);
        }
    }

    [Theory, MemberData(nameof(Models))]
    public void Prefill_gives_the_golden_logits_whole_and_in_chunks(string model, string config)
    {
        using var golden = Golden.Open(model);
        using var harness = new DecoderHarness(Open(model, config), TDevice.Create());
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
        using var golden = Golden.Open(model);
        using var harness = new DecoderHarness(Open(model, config), TDevice.Create());
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
        using var golden = Golden.Open(model);
        using var harness = new DecoderHarness(Open(model, config), TDevice.Create());
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

    static Checkpoint Open(string model, string config) =>
        config == "" ? Checkpoint.Open(Fixtures.Path(model)) : Checkpoint.OpenFolder(Fixtures.Path(model), config);
}

public sealed class ReferenceGoldenModelTests : GoldenModelTests<ReferenceGoldenModelTests>, IGoldenDevice
{
    public static IDevice Create() => new ReferenceDevice();
}

public sealed class CpuGoldenModelTests : GoldenModelTests<CpuGoldenModelTests>, IGoldenDevice
{
    public static IDevice Create() => new CpuDevice();
}

/// <summary>The kernels and the driver's calls of a GPU, on the host; all models take minutes there.</summary>
public sealed class CudaGoldenModelTests : GoldenModelTests<CudaGoldenModelTests>, IGoldenDevice
{
    static readonly string[] Quick =
    [
        "schemes/mla", "schemes/mfa_kr", "schemes/gla", "schemes/mtla", "schemes/cca", "schemes/eg_mla", "hf/deepseek_v3", "hf/gpt_oss", "hf/kimi_linear", "hf/qwen2_window",
        "gguf/q4_k.gguf",
    ];

    public static IDevice Create() => CudaEmulator.Device();

    public static bool Takes(string model) => Fixtures.All || Quick.Contains(model);
}
