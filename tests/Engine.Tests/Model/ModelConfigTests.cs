using System.Text;
using Serving.Model;

namespace Serving.Tests;

public sealed class ModelConfigTests
{
    [Theory]
    [InlineData("llama_mha"), InlineData("llama_gqa_llama3"), InlineData("llama_bias_linear"), InlineData("mistral_window")]
    [InlineData("qwen2"), InlineData("qwen3"), InlineData("smollm3"), InlineData("deepseek_v2_lite"), InlineData("minicpm3")]
    public void Old_and_new_keys_say_the_same(string name)
    {
        using var present = Checkpoint.OpenFolder(Fixtures.Path($"hf/{name}"));
        using var past = Checkpoint.OpenFolder(Fixtures.Path($"hf/{name}"), "config.old.json");
        Assert.Equal(Facts(present.Config), Facts(past.Config));

        static string Facts(ModelConfig c) => string.Join(
            "; ", Rotary(c.Rope()), string.Join(",", c.LayerTypes()), c.IntOrNull("num_key_value_heads"),
            c.Int("max_position_embeddings"), c.IntOrNull("sliding_window"), c.Bool("tie_word_embeddings"), c.Bool("attention_bias"),
            c.Float("rms_norm_eps"), c.Text("hidden_act"), c.IntOrNull("v_head_dim"));
    }

    [Fact]
    public void Llama_3_scaling_is_read_in_full()
    {
        using var checkpoint = Checkpoint.Open(Fixtures.Path("hf/llama_gqa_llama3"));
        var rope = checkpoint.Config.Rope();
        Assert.Equal((RopeKind.Llama3, 8f, 32), (rope.Kind, rope.Factor, rope.OriginalPositions));
        Assert.False(rope.Interleaved);
    }

    [Fact]
    public void Long_rope_takes_its_original_length_from_beside_the_lists_or_inside()
    {
        var inside = Config("""
            {"model_type":"minicpm3","max_position_embeddings":144,
             "rope_scaling":{"type":"su","original_max_position_embeddings":48,"short_factor":[1,2],"long_factor":[3,4]}}
            """).Rope();
        var beside = Config("""
            {"model_type":"phi3","max_position_embeddings":144,"original_max_position_embeddings":48,
             "rope_scaling":{"type":"yarn","short_factor":[1,2],"long_factor":[3,4]}}
            """).Rope();
        Assert.Equal((RopeKind.LongRope, 48, 3f), (inside.Kind, inside.OriginalPositions, inside.Factor));
        Assert.Equal(Rotary(inside), Rotary(beside));
        Assert.Equal([3, 4], inside.LongFactors);
    }

    [Fact]
    public void Layers_of_two_kinds_have_their_own_rotation()
    {
        var old = Config("""
            {"model_type":"gemma3_text","num_hidden_layers":6,"rope_theta":5000,"rope_local_base_freq":100,
             "rope_scaling":{"factor":8,"rope_type":"linear"},"sliding_window_pattern":3}
            """);
        Assert.Equal(
            (RopeKind.Linear, 5000f, 8f),
            (old.Rope(LayerType.Full).Kind, old.Rope(LayerType.Full).Theta, old.Rope(LayerType.Full).Factor));
        Assert.Equal((RopeKind.Default, 100f), (old.Rope(LayerType.Sliding).Kind, old.Rope(LayerType.Sliding).Theta));
        Assert.Equal([0, 1, 3, 4], Enumerable.Range(0, 6).Where(layer => old.LayerTypes()[layer] == LayerType.Sliding));
        var present = Config("""
            {"model_type":"gemma3_text","rope_parameters":{"full_attention":{"rope_type":"default","rope_theta":7},
             "sliding_attention":{"rope_type":"default","rope_theta":9}}}
            """);
        Assert.Equal(9, present.Rope(LayerType.Sliding).Theta);
        Assert.Contains("rope_parameters is given per layer type (full_attention, sliding_attention)", Refused(() => present.Rope()));
    }

    [Fact]
    public void An_unknown_rotation_is_refused_with_the_known_ones()
    {
        var message = Refused(() => Config("""{"model_type":"llama","rope_scaling":{"rope_type":"spiral"}}""").Rope());
        Assert.Equal(
            "config.json: rope_scaling.rope_type is \"spiral\"; "
            + "expected one of default, linear, llama3, yarn, longrope (su), dynamic with alpha.",
            message);
        Assert.Contains(
            "\"dynamic\"; expected one of",
            Refused(() => Config("""{"model_type":"llama","rope_scaling":{"type":"dynamic","factor":2}}""").Rope()));
    }

    [Fact]
    public void A_key_that_nobody_read_is_found_wherever_it_hides()
    {
        var config = Config("""
            {"model_type":"llama","use_cache":true,"torch_dtype":"float16","hidden_size":8,"surprise":1,"nothing":null,"is_decoder":true,
             "rope_scaling":{"type":"linear","factor":2,"twist":3},"unopened":{"a":1},"blocks":[{"n":1,"m":2},{"n":3}]}
            """);
        config.Int("hidden_size");
        config.Rope();
        Assert.Equal([1, 3], config.Objects("blocks")!.Select(block => block.Int("n")));
        Assert.Equal(["surprise", "is_decoder", "rope_scaling.twist", "unopened", "blocks[0].m"], config.Unread());
        Assert.Contains(
            "config.json: keys that this server does not know for model type llama: surprise, is_decoder", Refused(config.RefuseUnread));
        config.Ignore("surprise", "is_decoder", "unopened");
        Assert.Equal(["rope_scaling.twist", "blocks[0].m"], config.Unread());
    }

    [Theory]
    [InlineData("absent", "config.json: absent is missing; expected a whole number.")]
    [InlineData("text", "config.json: text is \"five\"; expected a whole number of at most 32 bits.")]
    [InlineData("half", "config.json: half is 0.5; expected a whole number of at most 32 bits.")]
    [InlineData("huge", "config.json: huge is 4294967296; expected a whole number of at most 32 bits.")]
    [InlineData("none", "config.json: none is null; expected a whole number.")]
    public void A_missing_or_ill_typed_key_names_file_key_and_value(string key, string message) =>
        Assert.Equal(message, Refused(() => Config("""{"text":"five","half":0.5,"huge":4294967296,"none":null}""").Int(key)));

    [Fact]
    public void Absent_keys_take_the_default_of_their_class()
    {
        var mistral = Config("""{"model_type":"mistral","num_attention_heads":32}""");
        Assert.Equal((8, 4096, 10000f), (mistral.Int("num_key_value_heads"), mistral.Int("sliding_window"), mistral.Rope().Theta));
        Assert.Null(Config("""{"model_type":"mistral","sliding_window":null}""").IntOrNull("sliding_window"));
        Assert.Equal(
            32, Config("""{"model_type":"mistral","num_attention_heads":32,"num_key_value_heads":null}""").Int("num_key_value_heads"));
        Assert.Equal(16, Config("""{"model_type":"llama","num_attention_heads":16}""").Int("num_key_value_heads"));
        Assert.True(Config("""{"model_type":"gemma2"}""").Bool("tie_word_embeddings"));
        Assert.True(Config("""{"model_type":"deepseek_v3"}""").Rope().Interleaved);
        Assert.Equal(11, Config("""{"model_type":"minicpm3","hidden_size":66,"num_attention_heads":6}""").Int("v_head_dim"));
    }

    [Fact]
    public void Older_names_of_a_key_are_read_and_counted()
    {
        var config = Config("""{"model_type":"gpt2","n_embd":60,"n_head":5,"n_layer":3,"n_positions":96,"layer_norm_epsilon":0.001}""");
        Assert.Equal(
            (60, 5, 3, 96),
            (config.Int("hidden_size"), config.Int("num_attention_heads"),
             config.Int("num_hidden_layers"), config.Int("max_position_embeddings")));
        Assert.Equal(0.001f, config.Float("layer_norm_eps"));
        Assert.Empty(config.Unread());
    }

    internal static ModelConfig Config(string json) =>
        new(JsonFile.ParseObject(Encoding.UTF8.GetBytes(json), "config.json"), "config.json");

    static string Rotary(RopeConfig rope) =>
        $"{rope with { ShortFactors = [], LongFactors = [], Sections = [] }} "
        + $"{string.Join(",", rope.ShortFactors)} {string.Join(",", rope.LongFactors)}";

    static string Refused(Action action) => Assert.Throws<CheckpointException>(action).Message;
}
