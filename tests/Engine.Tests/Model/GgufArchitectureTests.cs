using System.Text.Json;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>Hugging Face fixtures as GGUF files give the same golden logits.</summary>
public sealed class GgufArchitectureTests
{
    [Theory]
    [InlineData("hf/qwen2", "qwen2", false)]
    [InlineData("hf/qwen3", "qwen3", false)]
    [InlineData("hf/qwen3_moe", "qwen3moe", false)]
    [InlineData("hf/phi3_longrope", "phi3", false)]
    [InlineData("hf/deepseek_v2_lite", "deepseek2", false)]
    [InlineData("hf/deepseek_v2_lite", "deepseek2", true)]
    [InlineData("hf/deepseek_v3", "deepseek2", false)]
    [InlineData("hf/deepseek_v3", "deepseek2", true)]
    public void A_fixture_as_gguf_gives_its_golden_logits(string fixture, string architecture, bool split)
    {
        using var folder = new TemporaryFolder();
        var (heads, content) = !split ? (0, 0) : fixture == "hf/deepseek_v3" ? (5, 22) : (6, 20);
        var path = GgufModel.Write(fixture, folder.Path, file => Describe(fixture, file, architecture, split), heads, content);
        using var golden = Golden.Open(fixture);
        using var harness = new DecoderHarness(Checkpoint.Open(path), new ReferenceDevice(), expands: true);
        foreach (var test in golden.Cases)
            foreach (var expanded in (bool[])[false, true])
                Golden.Near(
                    test.Logits, harness.Prefill(test.Prompt, test.Prompt.Length, test.Limit, expanded), golden.Tolerance,
                    $"{fixture} case {test.Number}, expanded {expanded}");
    }

    static readonly (string Config, string Gguf)[] Sizes =
    [
        ("num_hidden_layers", "block_count"), ("max_position_embeddings", "context_length"), ("hidden_size", "embedding_length"),
        ("intermediate_size", "feed_forward_length"), ("num_attention_heads", "attention.head_count"),
        ("num_key_value_heads", "attention.head_count_kv"), ("kv_lora_rank", "attention.kv_lora_rank"), ("q_lora_rank", "attention.q_lora_rank"),
        ("n_routed_experts", "expert_count"), ("num_local_experts", "expert_count"), ("num_experts_per_tok", "expert_used_count"),
        ("n_shared_experts", "expert_shared_count"), ("moe_intermediate_size", "expert_feed_forward_length"),
        ("first_k_dense_replace", "leading_dense_block_count"), ("n_group", "expert_group_count"), ("topk_group", "expert_group_used_count"),
    ];

    static void Describe(string fixture, GgufBytes file, string architecture, bool split)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Path(fixture), "config.json")));
        var config = json.RootElement;
        var rope = config.GetProperty("rope_parameters");
        uint? Size(string key) => config.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetUInt32() : null;
        file.Text("general.architecture", architecture);
        foreach (var (key, name) in Sizes)
            if (Size(key) is { } size) file.UInt32($"{architecture}.{name}", size);
        file.Float32($"{architecture}.attention.layer_norm_rms_epsilon", config.GetProperty("rms_norm_eps").GetSingle());
        file.Float32($"{architecture}.rope.freq_base", rope.GetProperty("rope_theta").GetSingle());
        if (architecture == "deepseek2") DescribeLatent(config, file, split);
        else if (Size("head_dim") is { } width) file.UInt32($"{architecture}.attention.key_length", width).UInt32($"{architecture}.attention.value_length", width);
        if (architecture == "phi3") DescribeLongRope(rope, file);
        if (rope.GetProperty("rope_type").GetString() == "yarn") DescribeYarn(rope, file);
    }

    static void DescribeLatent(JsonElement config, GgufBytes file, bool split)
    {
        uint Size(string key) => config.GetProperty(key).GetUInt32();
        var (key, value) = (Size("qk_nope_head_dim") + Size("qk_rope_head_dim"), Size("v_head_dim"));
        file.UInt32("deepseek2.rope.dimension_count", Size("qk_rope_head_dim"));
        file.UInt32("deepseek2.attention.key_length", split ? Size("kv_lora_rank") + Size("qk_rope_head_dim") : key);
        file.UInt32("deepseek2.attention.value_length", split ? Size("kv_lora_rank") : value);
        if (split) file.UInt32("deepseek2.attention.key_length_mla", key).UInt32("deepseek2.attention.value_length_mla", value);
        var sigmoid = config.GetProperty("model_type").GetString() == "deepseek_v3";
        if (sigmoid) file.Bool("deepseek2.expert_weights_norm", true);
        file.UInt32("deepseek2.expert_gating_func", sigmoid ? 2u : 1u);
        file.Float32("deepseek2.expert_weights_scale", config.GetProperty("routed_scaling_factor").GetSingle());
    }

    static void DescribeLongRope(JsonElement rope, GgufBytes file)
    {
        file.UInt32("phi3.rope.dimension_count", 12);
        file.UInt32("phi3.rope.scaling.original_context_length", rope.GetProperty("original_max_position_embeddings").GetUInt32());
        file.Float32("phi3.rope.scaling.attn_factor", (float)Math.Sqrt(1 + Math.Log(160 / 48.0) / Math.Log(48)));
        foreach (var list in (string[])["short", "long"])
            file.Tensor($"rope_factors_{list}.weight", [6], [.. rope.GetProperty($"{list}_factor").EnumerateArray().Select(factor => factor.GetSingle())]);
    }

    static void DescribeYarn(JsonElement rope, GgufBytes file)
    {
        file.Text("deepseek2.rope.scaling.type", "yarn");
        file.Float32("deepseek2.rope.scaling.factor", rope.GetProperty("factor").GetSingle());
        file.UInt32("deepseek2.rope.scaling.original_context_length", rope.GetProperty("original_max_position_embeddings").GetUInt32());
        file.Float32("deepseek2.rope.scaling.yarn_log_multiplier", 0.1f * rope.GetProperty("mscale_all_dim").GetSingle());
        file.Float32("deepseek2.rope.scaling.yarn_beta_fast", rope.GetProperty("beta_fast").GetSingle());
        file.Float32("deepseek2.rope.scaling.yarn_beta_slow", rope.GetProperty("beta_slow").GetSingle());
    }
}
