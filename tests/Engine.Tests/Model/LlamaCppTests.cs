using Serving.Devices;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>
/// GGUF files against llama.cpp itself, with a float32 cache. Its products of F32 matrices are float32: those logits are compared one by
/// one, within the tolerance of the golden ones (seen: 1e-4), or 1e-2 where it looks GELU up in a table of half-precision numbers (seen:
/// 4e-3). It quantises the inputs of quantised matrices to 8 bits: there the differences' root mean square is bounded by 0.1 for one
/// layer (seen: 0.06 to 0.083, logits have 2.3) and 0.2 for three (seen: 0.15, logits have 3), and the best token where it leads by more than 1.2.
/// </summary>
public sealed class LlamaCppTests
{
    const int Length = 150;
    const int Context = 256;

    [Theory]
    [InlineData("llama_mha", "llama", false, 5e-4)]
    [InlineData("llama_bias_linear", "llama", false, 5e-4)]
    [InlineData("qwen2", "qwen2", false, 5e-4)]
    [InlineData("qwen3", "qwen3", false, 5e-4)]
    [InlineData("qwen3_moe", "qwen3moe", false, 5e-4)]
    [InlineData("phi3_longrope short", "phi3", false, 5e-4)]
    [InlineData("phi3_longrope long", "phi3", false, 5e-4)]
    [InlineData("gemma2", "gemma2", false, 1e-2)]
    [InlineData("gemma3_text", "gemma3", false, 1e-2)]
    [InlineData("minicpm3 short", "minicpm3", false, 5e-4)]
    [InlineData("minicpm3 long", "minicpm3", false, 5e-4)]
    [InlineData("deepseek_v2_yarn", "deepseek2", false, 5e-4)]
    [InlineData("deepseek_v2_yarn", "deepseek2", true, 5e-4)]
    [InlineData("deepseek_v3", "deepseek2", false, 5e-4)]
    [InlineData("deepseek_v3", "deepseek2", true, 5e-4)]
    [InlineData("glm4_moe", "glm4moe", false, 5e-4)]
    [InlineData("gpt_oss", "gpt-oss", false, 5e-4)]
    public void A_model_gives_the_logits_of_llama_cpp(string fixture, string architecture, bool split, float bound)
    {
        using var llama = LlamaOracle.OrSkip();
        using var folder = new TemporaryFolder();
        var model = TinyGguf.Of(fixture);
        var path = GgufModel.Write(model, architecture, folder.Path, split);
        int[] prompt = [.. Enumerable.Range(0, Length).Select(i => (i * i + 7 * i + 3) % model.Int("vocab_size"))];
        Agree(llama.Logits(path, prompt, Context, folder.Path), path, prompt, lead: 2 * bound,
            (expected, logits) => Golden.Near(expected, logits, bound, fixture));
    }

    [Theory, InlineData("q8_0"), InlineData("q4_0"), InlineData("q4_1"), InlineData("q5_1"), InlineData("q4_k"), InlineData("q5_k"), InlineData("q6_k")]
    public void Quantised_weights_give_the_logits_of_llama_cpp(string type)
    {
        using var llama = LlamaOracle.OrSkip();
        using var folder = new TemporaryFolder();
        var path = Fixtures.Path($"gguf/{type}.gguf");
        int[] prompt = [.. Enumerable.Range(0, Length).Select(i => (i * i + 7 * i + 3) % 300)];
        Agree(llama.Logits(path, prompt, Context, folder.Path), path, prompt, lead: 1.2f, Close(0.1));
    }

    [Fact]
    public void MxFp4_experts_give_the_logits_of_llama_cpp()
    {
        using var llama = LlamaOracle.OrSkip();
        using var folder = new TemporaryFolder();
        var path = GgufModel.Write(TinyGguf.Of("gpt_oss wide"), "gpt-oss", folder.Path, packed: (39, Packing.MxFp4));
        int[] prompt = [.. Enumerable.Range(0, Length).Select(i => (i * i + 7 * i + 3) % 161)];
        Agree(llama.Logits(path, prompt, Context, folder.Path), path, prompt, lead: 1.2f, Close(0.2));
    }

    static Action<float[][], float[][]> Close(double bound) => (expected, logits) =>
    {
        var squares = expected.SelectMany(row => row).Zip(logits.SelectMany(row => row), (a, b) => (double)(a - b) * (a - b));
        Assert.InRange(Math.Sqrt(squares.Average()), 0, bound);
    };

    static void Agree(float[][] expected, string path, int[] prompt, float lead, Action<float[][], float[][]> near)
    {
        foreach (var device in (Func<IDevice>[])[() => new ReferenceDevice(), () => new CpuDevice()])
        {
            using var harness = new DecoderHarness(Checkpoint.Open(path), device());
            var logits = harness.Prefill(prompt, prompt.Length, Context);
            near(expected, logits);
            // Where llama.cpp's best leads by more than two logits may be off, it is the best here too.
            foreach (var (theirs, ours) in expected.Zip(logits))
                if (theirs.Order().TakeLast(2).ToArray() is var top && top[1] - top[0] > lead)
                    Assert.Equal(Array.IndexOf(theirs, top[1]), Array.IndexOf(ours, ours.Max()));
        }
    }
}
