using System.Text;
using System.Text.Json.Nodes;
using Serving.Devices;

namespace Serving.Model.Gguf;

/// <summary>Builds, from the metadata of a GGUF model, the configuration its Hugging Face checkpoint would have.</summary>
sealed class GgufConfig
{
    const int LongestList = 65536;
    const string Rotary = "rope_freqs.weight";

    readonly GgufArchitecture _architecture;
    readonly GgufMetadata _metadata;
    readonly IReadOnlyDictionary<string, StoredTensor> _tensors;
    readonly JsonObject _root = [];

    GgufConfig(GgufArchitecture architecture, GgufParts parts) =>
        (_architecture, _metadata, _tensors) = (architecture, parts.Metadata, parts.Tensors);

    /// <summary>The tensors that became part of the configuration and are no weights any more.</summary>
    public static IReadOnlySet<string> Absorbed { get; } = new HashSet<string> { Rotary };

    /// <summary>The configuration; keys of the architecture that are not mapped keep their own name, so that nobody overlooks them.</summary>
    public static ModelConfig Build(GgufArchitecture architecture, GgufParts parts)
    {
        var config = new GgufConfig(architecture, parts);
        config.CopyKeys();
        config.AddWhatTensorsSay();
        config.SettleSizes();
        config.SettleRotary();
        return new(JsonFile.ParseObject(Encoding.UTF8.GetBytes(config._root.ToJsonString()), parts.Metadata.Source), parts.Metadata.Source);
    }

    void CopyKeys()
    {
        Set("model_type", _architecture.ModelType);
        foreach (var (key, json) in _architecture.Facts)
            Set(key, JsonNode.Parse(json));
        var prefix = _architecture.Name + ".";
        var targets = _architecture.Keys.ToDictionary(key => key.Gguf, key => key.Config);
        foreach (var key in _metadata.Keys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal)))
            if (targets.TryGetValue(key[prefix.Length..], out var target))
                Set(target, Value(key));
            else
                _root[key] = Value(key);
    }

    void AddWhatTensorsSay()
    {
        Set("tie_word_embeddings", !_tensors.ContainsKey("output.weight"));
        foreach (var (key, tensor) in _architecture.Presences)
            Set(key, _tensors.ContainsKey("blk.0." + tensor));
        if (!_root.ContainsKey("vocab_size") && _tensors.TryGetValue("token_embd.weight", out var embedding))
            Set("vocab_size", embedding.Rows);
    }

    // Writers also state what is off (no experts) or follows (values as wide as keys).
    void SettleSizes()
    {
        foreach (var key in (string[])["num_local_experts", "num_experts_per_tok"])
            if (Number(key) == 0)
                _root.Remove(key);
        if (Number("v_head_dim") is { } values && values == HeadSize())
            _root.Remove("v_head_dim");
    }

    void SettleRotary()
    {
        if (Number("rope_dimensions") is { } rotated && HeadSize() is { } size and > 0)
        {
            _root.Remove("rope_dimensions");
            if (rotated != size)
                Set("partial_rotary_factor", (float)(rotated / size));
        }
        if (_root["rope_scaling"] is JsonObject scaling)
        {
            if (scaling["rope_type"] is null)
                scaling["rope_type"] = "linear";
            else if (scaling["rope_type"]!.ToJsonString() == "\"none\"")
                _root.Remove("rope_scaling");
        }
        if (_tensors.TryGetValue(Rotary, out var divisors))
            Set("rope_scaling", FromDivisors(divisors));
    }

    // Llama 3's stretched frequencies come as a divisor for each: long rope whose two lists are one.
    JsonObject FromDivisors(StoredTensor divisors)
    {
        if (divisors is not { Type: StoredType.F32, Shape.Length: 1, Columns: <= LongestList })
            throw new CheckpointException($"{_metadata.Source}: tensor {Rotary} is {divisors.Describe()}; a list of F32 divisors is expected.");
        JsonArray List() => [.. Devices.Reference.RowWidening.Widen(divisors).Select(divisor => Finite(Rotary, divisor))];
        return new()
        {
            ["rope_type"] = "longrope",
            ["short_factor"] = List(),
            ["long_factor"] = List(),
            ["attention_factor"] = 1,
            ["original_max_position_embeddings"] = _root["max_position_embeddings"]?.DeepClone(),
        };
    }

    double? HeadSize() => Number("head_dim")
        ?? (Number("hidden_size") is { } hidden && Number("num_attention_heads") is { } heads and > 0 ? hidden / heads : null);

    double? Number(string key) => _root[key] switch
    {
        JsonValue value when value.TryGetValue<long>(out var whole) => whole,
        JsonValue value when value.TryGetValue<float>(out var real) => real,
        _ => null,
    };

    void Set(string path, JsonNode? value)
    {
        if (path.Split('.') is [var outer, var inner])
        {
            if (_root[outer] is not JsonObject nested)
                _root[outer] = nested = [];
            nested[inner] = value;
        }
        else
            _root[path] = value;
    }

    JsonNode Value(string key)
    {
        if (!_metadata.IsArray(key))
            return Scalar(key);
        if (_metadata.Count(key) > LongestList)
            throw new CheckpointException($"{_metadata.Source}: metadata key {key} has {_metadata.Count(key)} elements; at most {LongestList} are read.");
        return _metadata.Holds(key, GgufKind.Text) ? new JsonArray([.. _metadata.Texts(key)!.Select(text => JsonValue.Create(text))])
            : _metadata.Holds(key, GgufKind.Bool) ? new JsonArray([.. _metadata.Bools(key)!.Select(truth => JsonValue.Create(truth))])
            : _metadata.IsFraction(key) ? new JsonArray([.. _metadata.Floats(key)!.Select(number => Finite(key, (float)number))])
            : new JsonArray([.. _metadata.Ints(key)!.Select(number => JsonValue.Create(number))]);
    }

    JsonValue Scalar(string key) => _metadata.Holds(key, GgufKind.Text) ? JsonValue.Create(_metadata.Text(key)!)
        : _metadata.Holds(key, GgufKind.Bool) ? JsonValue.Create(_metadata.Bool(key)!.Value)
        : _metadata.IsFraction(key) ? Finite(key, (float)_metadata.Float(key)!.Value)
        : JsonValue.Create(_metadata.Int(key)!.Value);

    JsonValue Finite(string key, float number) => float.IsFinite(number)
        ? JsonValue.Create(number)
        : throw new CheckpointException($"{_metadata.Source}: {key} holds {number}; a finite number is expected.");
}
