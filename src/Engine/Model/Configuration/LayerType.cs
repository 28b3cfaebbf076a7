namespace Serving.Model;

/// <summary>
/// Which layers see the whole sequence, a window or a chunk: layer_types, or the rule of the model type where a file lacks it.
/// </summary>
public static class LayerType
{
    /// <summary>The layer sees every earlier token.</summary>
    public const string Full = "full_attention";

    /// <summary>The layer sees the last sliding_window tokens.</summary>
    public const string Sliding = "sliding_attention";

    /// <summary>The layer sees the tokens of its chunk.</summary>
    public const string Chunked = "chunked_attention";

    /// <summary>The layer keeps a state instead of rows.</summary>
    public const string Linear = "linear_attention";

    /// <summary>The layer has convolutions before its attention, which sees every earlier token.</summary>
    public const string Hybrid = "hybrid";

    /// <summary>The layer has convolutions before its attention, which sees the last sliding_window tokens.</summary>
    public const string HybridSliding = "hybrid_sliding";

    const int MostLayers = 4096;

    /// <summary>The type of each layer of a configuration.</summary>
    public static IReadOnlyList<string> LayerTypes(this ModelConfig config)
    {
        var layers = config.Int("num_hidden_layers");
        if (layers is < 1 or > MostLayers)
            throw config.Wrong("num_hidden_layers", $"{layers}", $"1 to {MostLayers} layers");
        if (config.Texts("layer_types") is not { } types)
            return [.. Enumerable.Range(0, layers).Select(Rule(config))];
        // Keys that the list was made from.
        config.Ignore("sliding_window_pattern", "max_window_layers", "use_sliding_window");
        if (!types.Contains(Sliding) && !types.Contains(HybridSliding)) config.Ignore("sliding_window");
        return types.Length == layers
            ? types
            : throw config.Wrong("layer_types", $"a list of {types.Length}", $"a type for each of {layers} layers");
    }

    static Func<int, string> Rule(ModelConfig config)
    {
        var window = config.IntOrNull("sliding_window");
        return config.ModelType switch
        {
            "gemma2" or "gpt_oss" => EveryNth(config.Int("sliding_window_pattern", 2), Sliding),
            "gemma3_text" when window is null => _ => Full,
            "gemma3_text" => EveryNth(config.Int("sliding_window_pattern", 6), Sliding),
            "cohere2" => EveryNth(config.Int("sliding_window_pattern", 4), Sliding),
            "exaone4" when window is null => _ => Full,
            "exaone4" => Exaone(config),
            "llama4_text" => Chunks(config),
            "kimi_linear" => Kimi(config),
            "zaya" => _ => Hybrid,
            "qwen2" or "qwen3" or "qwen2_moe" or "qwen3_moe" or "qwen2_5_vl" or "qwen2_5_vl_text" or "smollm3" => Qwen(config, window),
            _ => _ => window is null ? Full : Sliding,
        };
    }

    static Func<int, string> EveryNth(int pattern, string others) => layer => pattern > 0 && (layer + 1) % pattern != 0 ? others : Full;

    static Func<int, string> Exaone(ModelConfig config)
    {
        // A text such as LLLG spells a repeating pattern of local and global layers; the last layer is global.
        if (config.IsText("sliding_window_pattern") && config.Text("sliding_window_pattern") is { Length: > 0 } letters)
        {
            var last = config.Int("num_hidden_layers") - 1;
            return layer => layer != last && letters[layer % letters.Length] == 'L' ? Sliding : Full;
        }
        return EveryNth(config.Int("sliding_window_pattern", 4), Sliding);
    }

    static Func<int, string> Chunks(ModelConfig config)
    {
        var rotated = config.Ints("no_rope_layers") ?? [];
        var interval = config.Int("no_rope_layer_interval", 4);
        return layer => (layer < rotated.Length ? rotated[layer] != 0 : interval > 0 && (layer + 1) % interval != 0) ? Chunked : Full;
    }

    // Lists layers counted from 1.
    static Func<int, string> Kimi(ModelConfig config)
    {
        var full = config.Object("linear_attn_config").Ints("full_attn_layers") ?? [];
        return layer => full.Contains(layer + 1) ? Full : Linear;
    }

    static Func<int, string> Qwen(ModelConfig config, int? window)
    {
        var (used, from) = (config.Bool("use_sliding_window", false), config.Int("max_window_layers", 28));
        return layer => used && window is not null && layer >= from ? Sliding : Full;
    }
}
