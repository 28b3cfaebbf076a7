using System.Text.Json.Nodes;
using Serving.Devices.Reference;
using Serving.Model;

namespace Serving.Tests;

/// <summary>Configurations that name a scheme with missing, contradictory or impossible numbers: each is refused at load with its key, its value and what is allowed.</summary>
public sealed class BadSchemeTests
{
    // fixture, of schemes unless it says otherwise | key, "a.b" inside an object | value, "-" to take the key away | what the message says, one after the other
    const string Table = """
        care|k_lora_ranks|[37]|k_lora_ranks|rank for every layer|layer 1
        care|v_lora_ranks|-|v_lora_ranks|rank for every layer
        care|num_key_value_heads|400|num_key_value_heads is 400|divisor
        cca|cca_time0|0|cca_time0 is 0|1 to 64
        cla|sharing_pattern|[0,0,3,3]|sharing_pattern is [0, 0, 3, 3]|layer 2
        cla|sharing_pattern|[0,0,1,1]|sharing_pattern is [0, 0, 1, 1]|reads its own rows
        cla|sharing_pattern|[0,0]|sharing_pattern is [0, 0]|layer 2
        cla|mlp_blocks|[]|mlp_blocks|every layer
        cla|sequence_mixer_blocks|-|sequence_mixer_blocks|every layer
        cla|sharing_pattern|[0,1,2,3]|sharing_pattern is [0, 1, 2, 3]|layer 1|no kv_proj.kv_attn.weight
        cla|sharing_pattern|[0,0,0,0]|sharing_pattern is [0, 0, 0, 0]|layer 2|it has kv_proj.kv_attn.weight
        cla_hunyuan|cla_share_factor|1|cla_share_factor is 1|layer 1|no k_proj.weight
        cla_hunyuan|cla_share_factor|7|cla_share_factor is 7|layer 2|k_proj.weight
        cla_hunyuan|cla_share_factor|0|cla_share_factor is 0|positive
        cla_hunyuan|cla_share_factor|-|cla_share_factor is missing
        clla|layer_types|["full_attention","sliding_attention","full_attention","full_attention"]|sliding_window is missing
        clla|layer_share_factor|-|layer_share_factor is missing
        clla|layer_share_factor|1|layer_share_factor is 1|layer 1|no kv_a_proj_with_mqa.weight
        clla|layer_share_factor|0|layer_share_factor is 0|1 to
        clla|rope_key|"own"|rope_key is "own"|shared_with_latent, per_layer
        eg_mla|gate_site|"before"|gate_site is "before"|after_up, latent
        eg_mla|gate_norm_span|-|gate_norm_span is missing|all, per_head, split, none
        eg_mla|gate_embed_dim|0|gate_embed_dim is 0|1 to
        eg_mla_latent|gate_norm_span|"per_head"|gate_norm_span is "per_head"|"all" or "none"
        gla|num_attention_heads|5|num_attention_heads is 5|multiple of 2
        gla|qk_rope_dim|0|qk_rope_dim is 0|1 to
        gta|rope_dim|400|rope_dim is 400|a part of head_dim
        gta|num_key_value_heads|4|num_key_value_heads is 4|divisor
        kha_linear|kha_value|"cubic"|kha_value is "cubic"|linear
        kha_linear|use_qk_norm|false|use_qk_norm is False|q_norm.weight
        kv_head_svd|source_key_value_heads|7|source_key_value_heads is 7
        lrkv|kv_residual_rank|13|kv_residual_rank is 13|1 to 12, the width of a head
        lrkv|kv_residual_rank|0|kv_residual_rank is 0|1 to
        lrkv|residual_rope|"outside"|residual_rope is "outside"|inside, none
        mfa_kr|kr_value_source|"both"|kr_value_source is "both"|unrotated, rotated
        mfa_step3|num_attention_groups|2|num_attention_groups is 2|1, since
        mha2mla|mha2mla.rope_dim_for_mla|400|rope_dim_for_mla is 400|even number below
        mha2mla|mha2mla.low_rank|0|low_rank is 0|positive
        mha2mla|mha2mla.svd_init_method|"whole"|svd_init_method is "whole"|joint, split
        mha2mla_vlm|image_token_ids|-|image_token_ids is missing|ids of tokens
        mha2mla_vlm|mha2mla.svd_init_method|"split"|svd_init_method is "split"|joint
        mha2mla_vlm_mrope|rope_scaling.mrope_section|[2,3,4]|mrope_section is [2, 3, 4]|8 in all
        mha2mla_vlm_mrope|rope_scaling.mrope_section|[8]|mrope_section is [8]|three numbers
        mka|ema_beta|1.5|ema_beta is 1.5|below 1
        mka|mka_l2_decode|"reset"|mka_l2_decode is "reset"|"carry"
        mka_full|ema_beta|-0.5|ema_beta is -0.5|below 1
        mla|kv_lora_rank|0|kv_lora_rank is 0|1 to
        mha2mla_bias|mha2mla.uniform_start_point|-1|uniform_start_point is -1|0 or more
        mla|kv_lora_rank|1000000|the configuration asks for|kv_lora_rank = 1000000
        mha2mla|mha2mla.low_rank|7|the configuration asks for|mha2mla.low_rank = 7
        x_ecomla|head_dim|11|the configuration asks for|head_dim = 11
        mla|rope_scaling.factor|0|rope_scaling.factor is 0|positive
        mla|rope_scaling.beta_fast|-1|rope_scaling.beta_fast is -1|positive
        mla|rope_theta|-1|rope_theta|positive
        mlra_4|n_embd|0|n_embd is 0|1 to
        mlra_4|n_embd|60|asks for [144, 60]|n_embd = 60
        mla|qk_rope_head_dim|7|qk_rope_head_dim is 7|even
        mlra_4|kv_lora_rank|29|kv_lora_rank is 29|4 latents of equal width
        moas|gqa_kv_heads|3|gqa_kv_heads is 3|divisor
        moas|router_bias|false|router_bias is False|tensors
        moas|position_embedding_type|"rope"|position_embedding_type is "rope"|"learned"
        moas_rope|position_embedding_type|"learned"|position_embedding_type is "learned"|no tensor model.embed_positions.weight
        mtla|layer_share_factor|0|layer_share_factor is 0|1 to
        mtla|layer_share_factor|2|layer_share_factor is 2|layer 1|wkv_a.weight
        mtla|sliding_window|9|window of 9 tokens cuts rows of 2
        mtla|down_rate|0|down_rate is 0|1 to 4096
        mtla|kv_lora_rank|23|kv_lora_rank is 23|even number
        mtla|recompute_prompt_attn|false|recompute_prompt_attn is false|true
        qcqa|kv_head_map|[[0,1]]|kv_head_map|every layer
        qcqa|kv_head_map|[[0,0,0,2,2,2],[0,0,0,2,2,2],[0,0,0,2,2,2]]|kv_head_map is [0, 0, 0, 2, 2, 2]|every key head below 3
        sqa|att_num_query_groups|5|att_num_query_groups is 5|divisor or a multiple
        sqa|att_type|"mha"|att_type is "mha"|sqa
        tucker_shared|rope_scaling|{"type":"longrope","short_factor":[1,1,1,1,1,1,1,1],"long_factor":[2,2,2,2,2,2,2,2],"original_max_position_embeddings":64}|turn alike in sequences of any length|LongRoPE
        tucker|softmax_scale|0|softmax_scale is 0|positive
        x_ecomla|rope_scaling.high_freq_factor|1|high_freq_factor is 1|more than low_freq_factor = 1
        tucker|tucker_query_ranks|[4,18]|tucker_query_ranks|three positive ranks
        tucker_shared|tucker_value_ranks|[3,20,14]|tucker_value_ranks is [3, 20, 14]|16 as the last rank
        hf/kimi_linear|linear_head_dim|0|linear_head_dim is 0|1 to 1024
        hf/kimi_linear|linear_conv_kernel_dim|65|linear_conv_kernel_dim is 65|1 to 64
        hf/zaya|cca_time1|65|cca_time1 is 65|1 to 64
        hf/zaya|layer_types|["hybrid","odd","hybrid"]|layer_types[1] is "odd"|hybrid or hybrid_sliding
        hf/zaya|sliding_window|0|sliding_window is 0|positive
        hf/zaya|router_hidden_size|0|router_hidden_size is 0|1 to
        hf/zaya|router_hidden_size|21|mlp.gate.down_proj|21
        hf/zaya|num_experts_per_tok|7|7 of 6 experts
        hf/zaya|attention_bias|false|attention_bias is false|o_proj.bias
        hf/zaya|lm_head_bias|true|lm_head_bias is true|no tensor is called lm_head.bias
        """;

    public static TheoryData<string, string, string, string[]> Cases() =>
        [.. Table.Split('\n').Select(line => line.Split('|')).Select(row => (row[0], row[1], row[2], row[3..]))];

    [Theory, MemberData(nameof(Cases))]
    public void It_is_refused_with_its_key_its_value_and_what_is_allowed(string fixture, string key, string value, string[] said)
    {
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(Fixtures.Path(fixture.Contains('/') ? fixture : $"schemes/{fixture}"))) File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder.Path, "config.json")))!;
        var steps = key.Split('.');
        var place = steps[..^1].Aggregate(config, (node, step) => node[step]!).AsObject();
        if (value == "-") place.Remove(steps[^1]);
        else place[steps[^1]] = JsonNode.Parse(value);
        folder.Write("config.json", config.ToJsonString());

        var error = Assert.Throws<CheckpointException>(() =>
        {
            using var harness = new DecoderHarness(Checkpoint.OpenFolder(folder.Path), new ReferenceDevice());
        });
        foreach (var part in said) Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_scheme_has_cases()
    {
        // Those that only read what another one reads as well: their keys are refused there.
        string[] others = ["care_joint", "clla_int4", "clla_per_layer"];
        var families = Directory.GetDirectories(Fixtures.Path("schemes")).Select(folder => Path.GetFileName(folder)!).Except(others)
            .Where(name => !Table.Contains($"{name}|") && !Table.Contains($"{name.Split('_')[0]}")).ToArray();
        Assert.True(families.Length == 0, $"No bad input is tried on {string.Join(", ", families)}.");
    }
}
