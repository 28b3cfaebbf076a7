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
        Assert.Equal(
            (256, 4, 2, 512, 300), (config.Int("hidden_size"), config.Int("num_attention_heads"), config.Int("num_key_value_heads"),
            config.Int("intermediate_size"), config.Int("vocab_size")));
        Assert.Equal(
            (1, 512, 1e-5f), (config.Int("num_hidden_layers"), config.Int("max_position_embeddings"), config.Float("rms_norm_eps")));
        Assert.False(config.Bool("tie_word_embeddings"));
        Assert.Equal(new RopeConfig(RopeKind.Default, 10000) { Interleaved = true, MaxPositions = 512 }, config.Rope());
        var key = checkpoint.Tensors["model.layers.0.self_attn.k_proj.weight"];
        Assert.Equal((StoredType.Q4K, "Q4_K [128, 256]"),
            (key.Type, key.Describe()));
        Assert.Equal(["attention_bias", "hidden_act", "mlp_bias"], config.Unread().Order());
        Assert.Equal([2], checkpoint.Text.StopIds);
        Assert.Equal(300, checkpoint.Text.Vocabulary!.Texts("tokenizer.ggml.tokens")!.Length);
    }

    [Theory, InlineData("llama_mha"), InlineData("llama_gqa_llama3"),
     InlineData("qwen2"), InlineData("smollm3"), InlineData("deepseek_v2_lite")]
    public void A_folder_opens_with_the_tensors_of_its_layers(string name)
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path($"hf/{name}"));
        var config = checkpoint.Config;
        var (layers, hidden, vocabulary) = (config.Int("num_hidden_layers"), config.Int("hidden_size"), config.Int("vocab_size"));
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

    [Fact]
    public void An_unknown_architecture_is_refused_with_those_served()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("m.gguf", new GgufBytes().Text("general.architecture", "rwkv7").ToArray());
        var error = Refused(path);
        Assert.StartsWith($"{path}: general.architecture is rwkv7; served are ", error);
        Assert.All((string[])["llama", "qwen3", "step3"], name => Assert.Contains(name, error));
    }

    [Theory, InlineData("quantization_config"), InlineData("text_config")]
    public void Packed_weights_are_refused_by_the_name_of_their_method(string where)
    {
        using var folder = new TemporaryFolder();
        const string Packed = """{"quant_method":"gptq","bits":4}""";
        var value = where == "text_config" ? "{\"quantization_config\":" + Packed + "}" : Packed;
        folder.Write("config.json", "{\"model_type\":\"llama\",\"" + where + "\":" + value + "}");
        Assert.Contains(
            "quantization_config asks for gptq, which is not served. Served are fp8 (e4m3, weight_block_size [128, 128], activation_scheme dynamic), mxfp4; safetensors of F32,",
            Refused(folder.Path));
    }

    [Fact]
    public void A_folder_without_weights_says_what_was_looked_for()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("has neither config.json (a Hugging Face model) nor a .gguf file", Refused(folder.Path));
        folder.Write("config.json", """{"model_type":"llama"}""");
        folder.Write("pytorch_model.bin", "x");
        Assert.Contains(
            "has neither model.safetensors nor model.safetensors.index.json; it has config.json, pytorch_model.bin",
            Refused(folder.Path));
        Assert.Contains("name its folder", Refused(folder.Write("model.safetensors", "x")));
    }

    [Fact]
    public void Metadata_that_no_name_stands_for_is_found_among_the_unread_keys()
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Checkpoint.Open(folder.Write("m.gguf", new GgufBytes().Text("general.architecture", "llama")
            .UInt32("llama.expert_count", 0).UInt32("llama.attention.novelty", 3).Text("llama.rope.scaling.type", "none").ToArray()));
        Assert.Equal(["attention_bias", "hidden_act", "llama.attention.novelty", "mlp_bias", "rope_interleave", "tie_word_embeddings"],
            checkpoint.Config.Unread().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Stored_frequency_divisors_become_part_of_the_rotation()
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Checkpoint.Open(folder.Write("m.gguf", new GgufBytes().Text("general.architecture", "llama")
            .UInt32("llama.embedding_length", 32).UInt32("llama.attention.head_count", 2)
            .UInt32("llama.rope.dimension_count", 8).UInt32("llama.context_length", 4096)
            .Tensor("rope_freqs.weight", [4], 0, 16).Tensor("blk.7.attn_q.weight", [4], 0, 16)
            .Tensor("blk.7.novelty.weight", [4], 0, 16).ToArray()));
        var rope = checkpoint.Config.Rope();
        Assert.Equal((RopeKind.LongRope, 4096, 1f, 0.5f), (rope.Kind, rope.OriginalPositions, rope.AttentionFactor, rope.PartialFactor));
        Assert.Equal(rope.ShortFactors, rope.LongFactors);
        Assert.Equal(BitConverter.ToSingle([0, 1, 2, 3]), rope.LongFactors[0]);
        Assert.Equal(
            ["blk.7.novelty.weight", "model.layers.7.self_attn.q_proj.weight"], checkpoint.Tensors.Keys.Order(StringComparer.Ordinal));
    }

    static string Refused(string path) => Assert.Throws<CheckpointException>(() => Checkpoint.Open(path)).Message;
}
