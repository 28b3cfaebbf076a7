using Serving.Devices;
using Serving.Model;

namespace Serving.Tests;

public sealed class CheckpointTests
{
    [Fact]
    public void A_llama_gguf_reads_like_its_hugging_face_form()
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path("gguf/q4_k.gguf"));
        var config = checkpoint.Config;
        Assert.Equal("llama", config.ModelType);
        Assert.Equal((256, 4, 2, 512, 300), (config.Int("hidden_size"), config.Int("num_attention_heads"), config.Int("num_key_value_heads"),
            config.Int("intermediate_size"), config.Int("vocab_size")));
        Assert.Equal((1, 512, 1e-5f), (config.Int("num_hidden_layers"), config.Int("max_position_embeddings"), config.Float("rms_norm_eps")));
        Assert.False(config.Bool("tie_word_embeddings"));
        Assert.Equal(new RopeConfig(RopeKind.Default, 10000) { Interleaved = true, MaxPositions = 512 }, config.Rope());
        Assert.Equal((StoredType.Q4K, "Q4_K [128, 256]"),
            (checkpoint.Tensors["model.layers.0.self_attn.k_proj.weight"].Type, checkpoint.Tensors["model.layers.0.self_attn.k_proj.weight"].Describe()));
        Assert.Equal(["attention_bias", "hidden_act", "mlp_bias"], config.Unread().Order());
        Assert.Equal([2], checkpoint.Text.StopIds);
        Assert.Equal(300, checkpoint.Text.Vocabulary!.Texts("tokenizer.ggml.tokens")!.Length);
    }

    [Theory, InlineData("llama_mha"), InlineData("llama_gqa_llama3"), InlineData("qwen2"), InlineData("smollm3"), InlineData("deepseek_v2_lite")]
    public void A_folder_opens_with_the_tensors_of_its_layers(string name)
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path($"hf/{name}"));
        var (layers, hidden, vocabulary) = (checkpoint.Config.Int("num_hidden_layers"), checkpoint.Config.Int("hidden_size"), checkpoint.Config.Int("vocab_size"));
        Assert.Equal([vocabulary, hidden], checkpoint.Tensors["model.embed_tokens.weight"].Shape);
        Assert.Equal(layers, checkpoint.Tensors.Keys.Count(key => key.EndsWith("input_layernorm.weight", StringComparison.Ordinal)));
        Assert.Equal(name, checkpoint.Name);
        Assert.False(checkpoint.Text.HasTokenizer);
        Assert.Equal([2], checkpoint.Text.StopIds);
    }

    [Fact]
    public void A_hub_name_says_how_to_fetch_it()
    {
        var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open("some-org/some-model"));
        Assert.Contains("huggingface-cli download some-org/some-model --local-dir some-model, then --model some-model", error.Message);
    }

    [Fact]
    public void A_wrong_path_names_the_path_and_what_was_looked_for()
    {
        var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open("/no/such/model"));
        Assert.Contains("/no/such/model does not exist. A GGUF file, a folder", error.Message);
        Assert.DoesNotContain("huggingface-cli", error.Message);
    }
}
