using System.Globalization;
using System.Text;
using System.Text.Json;
using Serving.Devices;
using Serving.Devices.Reference;

namespace Serving.Model.Gguf;

/// <summary>Builds, from the metadata of a GGUF model, the configuration its Hugging Face checkpoint would have.</summary>
sealed class GgufConfig
{
    const int LongestList = 65536;
    const string Scaling = "rope_scaling.";
    const string Rotary = "rope_freqs.weight";
    const string ShortRotary = "rope_factors_short.weight";
    const string LongRotary = "rope_factors_long.weight";

    readonly GgufArchitecture _architecture;
    readonly GgufMetadata _metadata;
    readonly IReadOnlyDictionary<string, StoredTensor> _tensors;

    // Keys to values as JSON text.
    readonly Dictionary<string, string> _root = [];
    readonly Dictionary<string, string> _scaling = [];

    GgufConfig(GgufArchitecture architecture, GgufParts parts) =>
        (_architecture, _metadata, _tensors) = (architecture, parts.Metadata, parts.Tensors);

    /// <summary>The tensors that became part of the configuration and are no weights any more.</summary>
    public static IReadOnlySet<string> Absorbed { get; } = new HashSet<string> { Rotary, ShortRotary, LongRotary };

    /// <summary>
    /// The configuration; keys of the architecture that are not mapped keep their own name, so that nobody overlooks them.
    /// </summary>
    public static ModelConfig Build(GgufArchitecture architecture, GgufParts parts)
    {
        var config = new GgufConfig(architecture, parts);
        config.CopyKeys();
        config.AddWhatTensorsSay();
        config.SettleSizes();
        config.SettleWindows();
        config.SettleLatent();
        config.SettleRotary();
        if (config._scaling.Count > 0)
            config._root["rope_scaling"] = Write(config._scaling);
        return new(JsonFile.ParseObject(Encoding.UTF8.GetBytes(Write(config._root)), parts.Metadata.Source), parts.Metadata.Source);
    }

    void CopyKeys()
    {
        _root["model_type"] = Quote(ModelType());
        foreach (var (key, json) in _architecture.Facts.Where(fact => !fact.Key.StartsWith(Scaling, StringComparison.Ordinal)))
            _root[key] = json;
        var prefix = _architecture.Name + ".";
        var targets = _architecture.Keys.ToDictionary(key => key.Gguf, key => key.Config);
        foreach (var key in _metadata.Keys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal) && key != prefix + _architecture.VariantKey))
        {
            var target = targets.GetValueOrDefault(key[prefix.Length..], key);
            if (target.StartsWith(Scaling, StringComparison.Ordinal))
                _scaling[target[Scaling.Length..]] = Value(key);
            else
                _root[target] = Value(key);
        }
        foreach (var (key, json) in _architecture.Facts.Where(fact => _scaling.Count > 0 && fact.Key.StartsWith(Scaling, StringComparison.Ordinal)))
            _scaling.TryAdd(key[Scaling.Length..], json);
        foreach (var (key, of) in _architecture.Copies.Where(copy => _root.ContainsKey(copy.Of)))
            _root[key] = _root[of];
        foreach (var (layers, key, json) in _architecture.Exceptions.Where(exception => exception.Layers == _root.GetValueOrDefault("num_hidden_layers")))
            _root[key] = json;
    }

    string ModelType()
    {
        var key = $"{_architecture.Name}.{_architecture.VariantKey}";
        if (_architecture.VariantKey is null || !_metadata.Has(key)) return _architecture.ModelType;
        var (value, variants) = (Value(key), _architecture.Variants);
        return variants.FirstOrDefault(variant => variant.Json == value).ModelType ?? throw new CheckpointException(
            $"{_metadata.Source}: {key} is {value}; served are {string.Join(", ", variants.Select(variant => $"{variant.Json} ({variant.ModelType})"))}.");
    }

    void AddWhatTensorsSay()
    {
        _root["tie_word_embeddings"] = Truth(!_tensors.ContainsKey("output.weight"));
        foreach (var (key, tensor) in _architecture.Presences)
            _root[key] = Truth(_tensors.ContainsKey("blk.0." + tensor));
        if (!_root.ContainsKey("vocab_size") && _tensors.TryGetValue("token_embd.weight", out var embedding))
            _root["vocab_size"] = $"{embedding.Rows}";
    }

    // Writers also state what is off (no experts) or follows (values as wide as keys).
    void SettleSizes()
    {
        foreach (var key in (string[])["num_local_experts", "num_experts_per_tok"])
            if (Number(key) == 0)
                _root.Remove(key);
        if (Number("v_head_dim") is { } values && values == HeadSize() && !_root.ContainsKey("kv_lora_rank"))
            _root.Remove("v_head_dim");
    }

    // Layers that predict further tokens count as blocks in files. A list of windows says of each block whether it slides.
    void SettleWindows()
    {
        if (Number("num_nextn_predict_layers") is { } extra and > 0 && Number("num_hidden_layers") is { } blocks && blocks > extra)
            _root["num_hidden_layers"] = $"{blocks - extra}";
        if (_root.GetValueOrDefault("sliding_window_pattern") is not ['[', ..] || Number("num_hidden_layers") is not { } layers)
            return;
        _root.Remove("sliding_window_pattern");
        var slides = _metadata.Bools($"{_architecture.Name}.attention.sliding_window_pattern")!;
        _root["layer_types"] = List(slides.Take((int)layers).Select(slide => Quote(slide ? LayerType.Sliding : LayerType.Full)));
    }

    // Of latent attention, files say the width of a key with its rotary part; newer ones beside the widths of what is cached.
    void SettleLatent()
    {
        if (!_root.ContainsKey("kv_lora_rank") || Number("qk_rope_head_dim") is not { } rotary)
            return;
        if ((Number("qk_head_dim") ?? Number("head_dim")) is { } key)
            _root["qk_nope_head_dim"] = $"{key - rotary}";
        if (_root.Remove("value_head_size", out var value))
            _root["v_head_dim"] = value;
    }

    void SettleRotary()
    {
        if (Number("rope_dimensions") is { } rotated && HeadSize() is { } size and > 0)
        {
            _root.Remove("rope_dimensions");
            if (rotated != size)
                _root["partial_rotary_factor"] = Finite("rope.dimension_count", (float)(rotated / size));
        }
        if (_scaling.GetValueOrDefault("rope_type") == "\"none\"")
            _scaling.Clear();
        else if (_scaling.Count > 0)
            _scaling.TryAdd("rope_type", "\"linear\"");
        if (_tensors.TryGetValue(Rotary, out var divisors))
            UseDivisors(divisors);
        if (_tensors.TryGetValue(ShortRotary, out var few) && _tensors.TryGetValue(LongRotary, out var many))
            (_scaling["rope_type"], _scaling["short_factor"], _scaling["long_factor"]) = ("\"longrope\"", Divisors(few), Divisors(many));
    }

    // Llama 3's stretched frequencies come as a divisor for each: long rope whose two lists are one.
    void UseDivisors(StoredTensor divisors)
    {
        var list = Divisors(divisors);
        _scaling.Clear();
        _scaling["rope_type"] = "\"longrope\"";
        (_scaling["short_factor"], _scaling["long_factor"], _scaling["attention_factor"]) = (list, list, "1");
    }

    string Divisors(StoredTensor divisors)
    {
        if (divisors is not { Type: StoredType.F32, Shape.Length: 1, Columns: <= LongestList })
            throw new CheckpointException(
                $"{_metadata.Source}: tensor {divisors.Name} is {divisors.Describe()}; a list of F32 divisors is expected.");
        return List(RowWidening.Widen(divisors).Select(divisor => Finite(divisors.Name, divisor)));
    }

    double? HeadSize() => Number("head_dim")
        ?? (Number("hidden_size") is { } hidden && Number("num_attention_heads") is { } heads and > 0 ? hidden / heads : null);

    double? Number(string key) =>
        _root.TryGetValue(key, out var json) && double.TryParse(json, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    string Value(string key)
    {
        if (!_metadata.IsArray(key))
            return _metadata.Holds(key, GgufKind.Text) ? Quote(_metadata.Text(key)!)
                : _metadata.Holds(key, GgufKind.Bool) ? Truth(_metadata.Bool(key)!.Value)
                : _metadata.IsFraction(key) ? Finite(key, (float)_metadata.Float(key)!.Value)
                : $"{_metadata.Int(key)}";
        if (_metadata.Count(key) > LongestList)
            throw new CheckpointException(
                $"{_metadata.Source}: metadata key {key} has {_metadata.Count(key)} elements; at most {LongestList} are read.");
        return List(_metadata.Holds(key, GgufKind.Text) ? _metadata.Texts(key)!.Select(Quote)
            : _metadata.Holds(key, GgufKind.Bool) ? _metadata.Bools(key)!.Select(Truth)
            : _metadata.IsFraction(key) ? _metadata.Floats(key)!.Select(number => Finite(key, (float)number))
            : _metadata.Ints(key)!.Select(number => $"{number}"));
    }

    string Finite(string key, float number) => float.IsFinite(number)
        ? number.ToString("R", CultureInfo.InvariantCulture)
        : throw new CheckpointException($"{_metadata.Source}: {key} holds {number}; a finite number is expected.");

    static string Truth(bool value) => value ? "true" : "false";

    static string Quote(string text) => $"\"{JsonEncodedText.Encode(text)}\"";

    static string List(IEnumerable<string> items) => $"[{string.Join(',', items)}]";

    static string Write(Dictionary<string, string> members) =>
        $"{{{string.Join(',', members.Select(member => $"{Quote(member.Key)}:{member.Value}"))}}}";
}
