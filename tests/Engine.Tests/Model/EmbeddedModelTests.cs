using Serving.Devices;
using Serving.Model;

namespace Serving.Tests;

public sealed class EmbeddedModelTests
{
    static readonly string Folder = Fixtures.InRepository("models/smollm2-135m-instruct-mfa");

    [Fact]
    public void It_opens_by_folder_first_part_or_any_other_part()
    {
        foreach (var path in (string[])[Folder, .. Directory.GetFiles(Folder, "*.gguf")])
        {
            using var checkpoint = Checkpoint.Open(path);
            Assert.Equal(332, checkpoint.Tensors.Count);
        }
    }

    [Fact]
    public void Its_configuration_is_that_of_a_step3_text_decoder()
    {
        using var checkpoint = Checkpoint.Open(Folder);
        var config = checkpoint.Config;
        Assert.Equal(("SmolLM2 135M Instruct MFA", "step3_text"), (checkpoint.Name, config.ModelType));
        Assert.Equal(
            (30, 576, 1536, 49152),
            (config.Int("num_hidden_layers"), config.Int("hidden_size"), config.Int("intermediate_size"), config.Int("vocab_size")));
        Assert.Equal(
            (9, 1, 128, 256),
            (config.Int("num_attention_heads"), config.Int("num_attention_groups"), config.Int("head_dim"), config.Int("share_q_dim")));
        Assert.Equal(("silu", "", true), (config.Text("hidden_act"), config.Text("moe_layers_enum"), config.Bool("tie_word_embeddings")));
        Assert.Equal(1e-5f, config.Float("rms_norm_eps"));
        Assert.Equal(new RopeConfig(RopeKind.Default, 100000) { MaxPositions = 8192 }, config.Rope());
        Assert.Empty(config.Unread());
    }

    [Fact]
    public void Its_ledger_closes_over_the_expected_tensors()
    {
        using var checkpoint = Checkpoint.Open(Folder);
        var ledger = checkpoint.OpenLedger();
        Assert.Equal(StoredType.Q8_0, ledger.Take("model.embed_tokens.weight", 49152, 576).Type);
        ledger.Take("model.norm.weight", 576);
        for (var layer = 0; layer < 30; layer++)
        {
            var (attention, mlp) = ($"model.layers.{layer}.self_attn", $"model.layers.{layer}.mlp");
            ledger.Take($"model.layers.{layer}.input_layernorm.weight", 576);
            ledger.Take($"model.layers.{layer}.post_attention_layernorm.weight", 576);
            ledger.Take($"{attention}.q_proj.weight", 256, 576);
            ledger.Take($"{attention}.inter_norm.weight", 256);
            Assert.Equal(StoredType.Q4_1, ledger.Take($"{attention}.wq.weight", 1152, 256).Type);
            ledger.Take($"{attention}.k_proj.weight", 128, 576);
            ledger.Take($"{attention}.v_proj.weight", 128, 576);
            ledger.Take($"{attention}.o_proj.weight", 576, 1152);
            ledger.Take($"{mlp}.gate_proj.weight", 1536, 576);
            ledger.Take($"{mlp}.up_proj.weight", 1536, 576);
            ledger.Take($"{mlp}.down_proj.weight", 576, 1536);
        }
        ledger.Close();
    }

    [Fact]
    public void Its_text_sources_are_in_the_file()
    {
        using var checkpoint = Checkpoint.Open(Folder);
        Assert.Equal([2], checkpoint.Text.StopIds);
        Assert.StartsWith(
            "{% for message in messages %}", checkpoint.Text.ChatTemplates[TextSources.DefaultTemplate], StringComparison.Ordinal);
        Assert.Equal("<|im_end|>", checkpoint.Text.Vocabulary!.Texts("tokenizer.ggml.tokens")![2]);
    }

    [Fact]
    public void Dropped_pages_read_the_same_again()
    {
        using var checkpoint = Checkpoint.Open(Folder);
        var tensor = checkpoint.Tensors["model.layers.3.mlp.down_proj.weight"];
        StoredPages.WillNeed(tensor);
        var before = tensor.Row(17).ToArray();
        StoredPages.Drop(tensor);
        Assert.Equal(before, tensor.Row(17));
    }
}
