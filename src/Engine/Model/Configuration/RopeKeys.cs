using System.Collections.Immutable;

namespace Serving.Model;

/// <summary>Reads a <see cref="RopeConfig"/> from the keys of transformers 5 (rope_parameters) or of files published before it.</summary>
public static class RopeKeys
{
    const string Kinds = "default, linear, llama3, yarn, longrope (su), dynamic with alpha";

    /// <summary>
    /// The rotary encoding of layers of type <paramref name="layerType"/> (a value of layer_types), or of all layers.
    /// An unknown kind is an error that lists the known ones.
    /// <paramref name="absentTheta"/> is the base where neither file nor class has one.
    /// </summary>
    public static RopeConfig Rope(this ModelConfig config, string? layerType = null, float? absentTheta = null)
    {
        var rope = config.ObjectOrNull("rope_parameters") is { } parameters ? New(config, parameters, layerType)
            : absentTheta is { } theta && config.FloatOrNull("rope_theta") is null ? new(RopeKind.Default, theta)
            : Old(config, layerType);
        if (!(rope.Theta > 0)) throw new CheckpointException($"{config.Source}: the base of the rotary frequencies (rope_theta) is {rope.Theta}; expected a positive number.");
        return rope with
        {
            Interleaved = config.Bool("rope_interleave", false),
            MaxPositions = config.Int("max_position_embeddings", 0),
        };
    }

    static RopeConfig New(ModelConfig config, ModelConfig parameters, string? layerType)
    {
        if (!parameters.Mentions("rope_type"))
            parameters = parameters.Object(layerType ?? throw config.Wrong(
                "rope_parameters", $"given per layer type ({string.Join(", ", parameters.Keys)})", "one object for all layers"));
        var theta = parameters.FloatOrNull("rope_theta") ?? config.Float("rope_theta");
        return Read(config, parameters, theta, parameters.FloatOrNull("partial_rotary_factor") ?? config.Float("partial_rotary_factor", 1));
    }

    static RopeConfig Old(ModelConfig config, string? layerType)
    {
        // Gemma 3 scales its full layers only and gives sliding ones a base of their own.
        if (layerType == LayerType.Sliding && config.ModelType == "gemma3_text")
            return new(RopeKind.Default, config.Float("rope_local_base_freq", 10000));
        var theta = config.Has("rotary_emb_base") ? config.Float("rotary_emb_base") : PerLayer(config, "rope_theta", layerType);
        var partial = config.Has("rotary_pct") ? config.Float("rotary_pct")
            : config.Has("partial_rotary_factors") ? PerLayer(config, "partial_rotary_factors", layerType)
            : config.Float("partial_rotary_factor", 1);
        return config.ObjectOrNull("rope_scaling") is { } scaling
            ? Read(config, scaling, theta, partial)
            : new(RopeKind.Default, theta) { PartialFactor = partial };
    }

    // Step 3.5 lists these for each layer; layers of one type share a value.
    static float PerLayer(ModelConfig config, string key, string? layerType)
    {
        if (!config.IsList(key))
            return config.Float(key);
        var values = config.Floats(key)!;
        var layer = layerType is null ? 0 : config.LayerTypes().ToList().IndexOf(layerType);
        return layer >= 0 && layer < values.Length
            ? values[layer]
            : throw config.Wrong(key, $"a list of {values.Length}", $"a value for the first layer of type {layerType ?? "any"}");
    }

    static RopeConfig Read(ModelConfig config, ModelConfig keys, float theta, float partial)
    {
        var name = keys.TextOrNull("rope_type") ?? keys.Text("type");
        keys.Ignore("type", "finetuned");
        var rope = name switch
        {
            "default" or "mrope" => new(RopeKind.Default, theta),
            "linear" => new(RopeKind.Linear, theta) { Factor = Positive(keys, "factor") },
            "llama3" => Llama3(keys, theta),
            "su" or "longrope" => LongRope(config, keys, theta),
            // Early Phi-3 files call their two lists yarn.
            "yarn" => keys.Has("short_factor") ? LongRope(config, keys, theta) : Yarn(config, keys, theta),
            "dynamic" when keys.Has("alpha") => DynamicAlpha(keys, theta),
            _ => throw keys.Wrong("rope_type", $"\"{name}\"", $"one of {Kinds}"),
        };
        return rope with { PartialFactor = partial, Sections = [.. keys.Ints("mrope_section") ?? []] };
    }

    static float Positive(ModelConfig keys, string key, float? absent = null)
    {
        var value = absent is { } some ? keys.Float(key, some) : keys.Float(key);
        return value > 0 ? value : throw keys.Wrong(key, $"{value}", "a positive number");
    }

    static RopeConfig Llama3(ModelConfig keys, float theta) => new(RopeKind.Llama3, theta)
    {
        Factor = Positive(keys, "factor"),
        LowFrequencyFactor = Positive(keys, "low_freq_factor"),
        HighFrequencyFactor = keys.Float("high_freq_factor") is var high && high > keys.Float("low_freq_factor")
            ? high
            : throw keys.Wrong("high_freq_factor", $"{high}", $"more than low_freq_factor = {keys.Float("low_freq_factor")}"),
        OriginalPositions = keys.Int("original_max_position_embeddings"),
    };

    static RopeConfig Yarn(ModelConfig config, ModelConfig keys, float theta) => new(RopeKind.Yarn, theta)
    {
        Factor = Positive(keys, "factor"),
        OriginalPositions = keys.IntOrNull("original_max_position_embeddings") ?? config.Int("max_position_embeddings"),
        BetaFast = Positive(keys, "beta_fast", 32),
        BetaSlow = Positive(keys, "beta_slow", 1),
        Truncate = keys.Bool("truncate", true),
        // GGUF files hold a tenth of it, of models whose two weights are equal.
        Mscale = keys.FloatOrNull("mscale") ?? 10 * keys.FloatOrNull("yarn_log_multiplier"),
        MscaleAllDim = keys.FloatOrNull("mscale_all_dim") ?? 10 * keys.FloatOrNull("yarn_log_multiplier"),
        AttentionFactor = keys.FloatOrNull("attention_factor"),
        QueryScaleBeta = keys.Float("llama_4_scaling_beta", 0),
    };

    static RopeConfig LongRope(ModelConfig config, ModelConfig keys, float theta)
    {
        ImmutableArray<float> Factors(string key) =>
            [.. keys.Floats(key) ?? throw keys.Wrong(key, "missing", "a list with a divisor for each frequency")];
        // Phi-3 says the original length beside rope_scaling, MiniCPM3 inside; where both do, the outer one counts.
        var inside = keys.IntOrNull("original_max_position_embeddings");
        var max = config.Int("max_position_embeddings");
        var original = config.IntOrNull("original_max_position_embeddings") ?? inside ?? max;
        return new(RopeKind.LongRope, theta)
        {
            ShortFactors = Factors("short_factor"),
            LongFactors = Factors("long_factor"),
            OriginalPositions = original,
            Factor = keys.FloatOrNull("factor") ?? (float)max / original,
            AttentionFactor = keys.FloatOrNull("attention_factor"),
        };
    }

    // Hunyuan writes the parameters of YaRN beside alpha and uses none of them.
    static RopeConfig DynamicAlpha(ModelConfig keys, float theta)
    {
        keys.Ignore("factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim");
        return new(RopeKind.DynamicAlpha, theta) { Alpha = Positive(keys, "alpha") };
    }
}
