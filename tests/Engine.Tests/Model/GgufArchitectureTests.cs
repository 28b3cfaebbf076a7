using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>Models as GGUF files give the same logits as under Hugging Face's names.</summary>
public sealed class GgufArchitectureTests
{
    [Theory]
    [InlineData("hf/llama_mha", "llama", false)]
    [InlineData("hf/llama_bias_linear", "llama", false)]
    [InlineData("hf/qwen2", "qwen2", false)]
    [InlineData("hf/qwen3", "qwen3", false)]
    [InlineData("hf/qwen3_moe", "qwen3moe", false)]
    [InlineData("hf/phi3_longrope", "phi3", false)]
    [InlineData("hf/gemma2", "gemma2", false)]
    [InlineData("hf/gemma3_text", "gemma3", false)]
    [InlineData("hf/minicpm3", "minicpm3", false)]
    [InlineData("hf/deepseek_v2_lite", "deepseek2", false)]
    [InlineData("hf/deepseek_v2_lite", "deepseek2", true)]
    [InlineData("hf/deepseek_v3", "deepseek2", false)]
    [InlineData("hf/deepseek_v3", "deepseek2", true)]
    public void A_fixture_as_gguf_gives_its_golden_logits(string fixture, string architecture, bool split)
    {
        using var folder = new TemporaryFolder();
        var path = GgufModel.Write(TinyModel.Of(fixture), architecture, folder.Path, split);
        using var golden = Golden.Open(fixture);
        using var harness = new DecoderHarness(Checkpoint.Open(path), new ReferenceDevice(), expands: fixture.Contains("deepseek"));
        foreach (var test in golden.Cases)
            foreach (var expanded in fixture.Contains("deepseek") ? (bool[])[false, true] : [false])
                Golden.Near(
                    test.Logits, harness.Prefill(test.Prompt, test.Prompt.Length, test.Limit, expanded), golden.Tolerance,
                    $"{fixture} case {test.Number}, expanded {expanded}");
    }

    [Theory]
    [InlineData("gpt_oss", "gpt-oss")]
    [InlineData("glm4_moe", "glm4moe")]
    public void A_model_as_gguf_gives_the_logits_of_its_folder(string modelType, string architecture)
    {
        using var folder = new TemporaryFolder();
        var model = TinyGguf.Of(modelType);
        int[] prompt = [.. Enumerable.Range(0, 70).Select(i => i * i % 150)];
        using var file = new DecoderHarness(Checkpoint.Open(GgufModel.Write(model, architecture, folder.Path)), new ReferenceDevice());
        using var whole = new DecoderHarness(Checkpoint.Open(model.WriteFolder(folder.Path)), new ReferenceDevice());
        Golden.Near(whole.Prefill(prompt, 70, 80), file.Prefill(prompt, 70, 80), 1e-4f, modelType);
    }

    [Theory, InlineData("hf/qwen3_moe", "qwen3moe"), InlineData("hf/deepseek_v3", "deepseek2")]
    public void Gates_and_ups_of_experts_may_lie_in_one_stack(string fixture, string architecture)
    {
        using var folder = new TemporaryFolder();
        var path = GgufModel.Write(TinyModel.Of(fixture), architecture, folder.Path, fused: true);
        using var golden = Golden.Open(fixture);
        using var harness = new DecoderHarness(Checkpoint.Open(path), new ReferenceDevice());
        var test = golden.Cases[0];
        Golden.Near(test.Logits, harness.Prefill(test.Prompt, test.Prompt.Length, test.Limit), golden.Tolerance, fixture);
    }

    [Theory, InlineData("hf/deepseek_v2_lite"), InlineData("hf/deepseek_v3")]
    public void A_model_whose_layers_are_all_dense_needs_no_word_of_experts(string fixture)
    {
        using var folder = new TemporaryFolder();
        var model = TinyModel.Of(fixture);
        foreach (var name in model.Tensors.Keys.Where(name => name.StartsWith("model.layers.") && !name.StartsWith("model.layers.0.")).ToList())
            model.Tensors.Remove(name);
        (model.Config["num_hidden_layers"], model.Config["first_k_dense_replace"]) = (1, 1);
        using var file = new DecoderHarness(Checkpoint.Open(GgufModel.Write(model, "deepseek2", folder.Path)), new ReferenceDevice());
        using var whole = new DecoderHarness(Checkpoint.Open(model.WriteFolder(folder.Path)), new ReferenceDevice());
        Golden.Near(whole.Prefill([5, 9, 77], 3, 8), file.Prefill([5, 9, 77], 3, 8), 1e-4f, fixture);
    }

    [Fact]
    public void Layers_that_predict_further_tokens_are_left_out()
    {
        using var folder = new TemporaryFolder();
        var model = TinyGguf.Of("glm4_moe");
        int[] prompt = [5, 9, 77];
        using var plain = new DecoderHarness(Checkpoint.Open(GgufModel.Write(model, "glm4moe", folder.Path)), new ReferenceDevice());
        var expected = plain.Prefill(prompt, 3, 8);
        // One layer more, which counts as a block and says so.
        foreach (var (name, tensor) in model.Tensors.Where(t => t.Key.StartsWith("model.layers.2.")).ToList())
            model.Tensors.Add(name.Replace("layers.2.", "layers.3."), tensor);
        model.Tensors.Add("blk.3.nextn.eh_proj.weight", new([64, 128], new float[64 * 128]));
        model.Tensors.Add("blk.3.nextn.enorm.weight", new([64], new float[64]));
        model.Config["num_hidden_layers"] = 4;
        model.Config["num_nextn_predict_layers"] = 1;
        using var longer = new DecoderHarness(Checkpoint.Open(GgufModel.Write(model, "glm4moe", folder.Path)), new ReferenceDevice());
        Assert.Equal(expected, longer.Prefill(prompt, 3, 8));
    }

    [Theory]
    [InlineData("gemma2", 46, 144)]
    [InlineData("gemma2", 4, 22)]
    public void The_largest_gemma_scales_scores_by_hidden_size_over_heads(string architecture, int layers, int width)
    {
        using var folder = new TemporaryFolder();
        var model = TinyModel.Of("hf/gemma2");
        model.Config["num_hidden_layers"] = layers;
        using var checkpoint = Checkpoint.Open(GgufModel.Write(model, architecture, folder.Path));
        Assert.Equal(width, checkpoint.Config.Int("query_pre_attn_scalar"));
    }

    [Fact]
    public void A_key_that_is_not_known_is_refused_by_name()
    {
        using var folder = new TemporaryFolder();
        var model = TinyModel.Of("hf/qwen3");
        model.Config["n_group"] = 2;
        var path = GgufModel.Write(model, "qwen3", folder.Path);
        var error = Assert.Throws<CheckpointException>(() => new DecoderHarness(Checkpoint.Open(path), new ReferenceDevice()));
        Assert.Contains("qwen3.expert_group_count", error.Message);
    }
}
