using System.Text.Json;
using System.Text.Json.Nodes;
using Serving.Cache;
using Serving.Devices;
using Serving.Devices.Reference;
using Serving.Model;
using Serving.Model.Types;

namespace Serving.Tests;

/// <summary>What model types do with configurations that are not those of their tensors.</summary>
public sealed class ModelTypeTests
{
    public static TheoryData<string, string> Configurations()
    {
        var data = new TheoryData<string, string>();
        foreach (var kind in (string[])["hf", "schemes"])
            foreach (var folder in Directory.GetDirectories(Fixtures.Path(kind)).Order(StringComparer.Ordinal))
                foreach (var config in (string[])["config.json", "config.old.json"])
                    if (File.Exists(Path.Combine(folder, config))) data.Add($"{kind}/{Path.GetFileName(folder)}", config);
        return data;
    }

    [Theory, MemberData(nameof(Configurations))]
    public void A_key_with_any_other_value_makes_a_plan_or_is_refused(string fixture, string file)
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path(fixture));
        var original = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Path(fixture), file)))!;
        foreach (var path in Paths(original, []).Where(path => path.Length > 0))
            foreach (var value in (string[])["0", "-1", "1", "3", "2147483647", "-0.5", "1e30", "null", "\"x\"", "[]", "[0]", "{}", "true"])
            {
                var changed = original.DeepClone();
                var place = path[..^1].Aggregate(changed, (node, step) => step is int index ? node[index]! : node[(string)step]!);
                if (path[^1] is int last) place[last] = JsonNode.Parse(value);
                else place[(string)path[^1]] = JsonNode.Parse(value);
                var error = Record.Exception(() => Plan(checkpoint, changed));
                Assert.True(error is null or CheckpointException, $"{string.Join('.', path)} = {value}: {error}");
            }
    }

    [Theory, MemberData(nameof(Configurations))]
    public void A_key_that_no_type_knows_is_refused(string fixture, string file)
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path(fixture));
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Path(fixture), file)))!;
        config["surprising_factor"] = 2;
        Assert.Contains("surprising_factor", Assert.Throws<CheckpointException>(() => Plan(checkpoint, config)).Message);
    }

    [Theory]
    [InlineData("llama_mha", "rope_parameters.rope_type", "\"spiral\"", "rope_type is \"spiral\"; expected one of default, linear, llama3, yarn, longrope (su)")]
    [InlineData("llama_mha", "rope_parameters.twist", "2", "rope_parameters.twist")]
    [InlineData("llama_mha", "hidden_act", "\"mish\"", "hidden_act is \"mish\"; expected one of silu, swish, gelu")]
    [InlineData("llama_mha", "attention_bias", "true", "attention_bias is true; expected false, because no tensor")]
    [InlineData("llama_bias_linear", "attention_bias", "false", "attention_bias is false; expected true, because there are tensors")]
    [InlineData("llama_bias_linear", "mlp_bias", "false", "mlp_bias is false; expected true")]
    [InlineData("llama_mha", "qk_norm", "true", "does not know for model type llama: qk_norm")]
    [InlineData("llama_mha", "clip_qkv", "8", "does not know for model type llama: clip_qkv")]
    [InlineData("llama_mha", "norm_type", "\"layer\"", "does not know for model type llama: norm_type")]
    [InlineData("llama_mha", "attn_logit_softcapping", "50", "does not know for model type llama: attn_logit_softcapping")]
    [InlineData("llama_mha", "model_type", "\"llama9\"", "model_type is \"llama9\"; expected one of")]
    [InlineData("llama_mha", "num_key_value_heads", "4", "num_key_value_heads is 4; expected a divisor of the 6 query heads")]
    [InlineData("stablelm", "qk_layernorm", "!", "qk_layernorm is")]
    [InlineData("stablelm", "use_qkv_bias", "!", "use_qkv_bias is")]
    [InlineData("qwen2_moe", "qkv_bias", "false", "qkv_bias is false; expected true")]
    [InlineData("qwen3", "layer_types[1]", "\"hyper_attention\"", "layer_types[1] is \"hyper_attention\"; expected full_attention, sliding_attention, chunked_attention, linear_attention, hybrid or hybrid_sliding")]
    [InlineData("gemma2", "use_bidirectional_attention", "true", "use_bidirectional_attention")]
    [InlineData("gemma2", "hidden_activation", "\"quick_gelu\"", "\"quick_gelu\"; expected one of")]
    [InlineData("gpt2", "scale_attn_by_inverse_layer_idx", "true", "scale_attn_by_inverse_layer_idx")]
    [InlineData("gpt2", "activation_function", "\"tanh\"", "\"tanh\"; expected one of")]
    [InlineData("deepseek_v3", "scoring_func", "\"softmax\"", "scoring_func is \"softmax\"; expected one of sigmoid")]
    [InlineData("deepseek_v2_lite", "scoring_func", "\"sigmoid\"", "scoring_func is \"sigmoid\"; expected one of softmax")]
    [InlineData("deepseek_v3", "moe_layer_freq", "2", "moe_layer_freq")]
    [InlineData("qwen3_moe", "scoring_func", "\"sigmoid\"", "does not know for model type qwen3_moe: scoring_func")]
    [InlineData("phi3_longrope", "rope_parameters.short_factor", "[1, 2]", "short_factor has 2 factors; expected 6")]
    [InlineData("mixtral", "num_local_experts", "4", "")]
    public void What_is_almost_known_is_refused_with_the_key_and_the_list(string fixture, string path, string value, string reason)
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path($"hf/{fixture}"));
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Path($"hf/{fixture}"), "config.json")))!;
        var steps = path.Split('.', '[');
        var place = steps[..^1].Aggregate(config, (node, step) => node[step]!);
        var last = steps[^1];
        if (last.EndsWith(']')) place[int.Parse(last[..^1])] = JsonNode.Parse(value);
        else place[last] = value == "!" ? !(bool)place[last]! : JsonNode.Parse(value);
        Assert.Contains(reason, Assert.Throws<CheckpointException>(() => Use(checkpoint, config)).Message);
    }

    // Some answers are only found when the tensors are taken.
    static void Use(Checkpoint checkpoint, JsonNode config)
    {
        var ledger = checkpoint.OpenLedger();
        var plan = ModelTypes.Plan(new(new(JsonSerializer.SerializeToElement(config), "config.json"), ledger));
        using var device = new ReferenceDevice();
        var layout = new CacheLayout([.. plan.Attentions], 16, CacheType.Float32);
        using var cache = new LatentCache(device, layout, [.. layout.Groups.Select(_ => 1)]);
        using var states = new StateMemory(device, layout.States, new([], Places: 1));
        using var decoder = new Decoder(plan, new(ledger, device), device, cache, states, 1);
        ledger.Close();
    }

    static ModelPlan Plan(Checkpoint checkpoint, JsonNode config) =>
        ModelTypes.Plan(new(new(JsonSerializer.SerializeToElement(config), "config.json"), checkpoint.OpenLedger()));

    static IEnumerable<object[]> Paths(JsonNode? node, object[] path) => node switch
    {
        JsonObject inner => inner.Where(member => member.Key is not "vision_config").SelectMany(member => Paths(member.Value, [.. path, member.Key])).Prepend(path),
        JsonArray list => list.Take(2).SelectMany((item, index) => Paths(item, [.. path, index])).Prepend(path),
        _ => [path],
    };
}
