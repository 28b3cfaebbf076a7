using System.Text.Json;

namespace Serving.Model;

/// <summary>
/// A model's configuration under the key names of Hugging Face, whatever file it came from. It remembers which keys were read, so that
/// a key that nobody understood is found. Absent keys take the default of the model type's class; without one they are an error.
/// </summary>
public sealed class ModelConfig
{
    readonly JsonElement _object;
    readonly string _prefix;
    readonly HashSet<string> _read;
    readonly HashSet<string> _opened;
    readonly SortedDictionary<string, int> _numbers;

    /// <summary>Wraps the root object of <paramref name="source"/>, a path for messages.</summary>
    public ModelConfig(JsonElement root, string source) : this(root, source, "", [], [], new(StringComparer.Ordinal))
    {
    }

    ModelConfig(JsonElement value, string source, string prefix, HashSet<string> read, HashSet<string> opened, SortedDictionary<string, int> numbers) =>
        (_object, Source, _prefix, _read, _opened, _numbers) = (value, source, prefix, read, opened, numbers);

    /// <summary>The file it was read from.</summary>
    public string Source { get; }

    /// <summary>The value of model_type.</summary>
    public string ModelType => Text("model_type");

    /// <summary>The nested text_config of a model that also sees, else the configuration itself.</summary>
    public ModelConfig TextPart => ObjectOrNull("text_config") ?? this;

    /// <summary>The keys of this object as they stand in the file, old names and null values included.</summary>
    public IEnumerable<string> Keys => _object.EnumerateObject().Select(property => property.Name);

    /// <summary>The whole numbers that were read so far, but for those in lists, by the names that the file has for them.</summary>
    public IReadOnlyDictionary<string, int> Numbers => _numbers;

    /// <summary>Whether the key, or an older name of it, is there and not null. Asking counts as reading only if it is there.</summary>
    public bool Has(string key) => Find(key) is { ValueKind: not JsonValueKind.Null };

    /// <summary>Whether the key, or an older name of it, stands in the file, be it as null.</summary>
    public bool Mentions(string key) => Find(key) is not null;

    /// <summary>A whole number, by default the one of the model type's class.</summary>
    public int Int(string key) => IntOrNull(key) ?? throw Missing(key, "a whole number");

    /// <summary>A whole number, or <paramref name="absent"/> if neither the file nor the model type's class has one.</summary>
    public int Int(string key, int absent) => IntOrNull(key) ?? absent;

    /// <summary>A whole number; null if the file says so, or says nothing and the class has no default.</summary>
    public int? IntOrNull(string key) => Value(key) is { } value ? ToInt(key, value) : null;

    /// <summary>A number, by default the one of the model type's class.</summary>
    public float Float(string key) => FloatOrNull(key) ?? throw Missing(key, "a number");

    /// <summary>A number, or <paramref name="absent"/> if neither the file nor the model type's class has one.</summary>
    public float Float(string key, float absent) => FloatOrNull(key) ?? absent;

    /// <summary>A number; null if the file says so, or says nothing and the class has no default.</summary>
    public float? FloatOrNull(string key) => Value(key) is { } value ? ToFloat(key, value) : null;

    /// <summary>A truth value, by default the one of the model type's class.</summary>
    public bool Bool(string key) => BoolOrNull(key) ?? throw Missing(key, "true or false");

    /// <summary>A truth value, or <paramref name="absent"/> if neither the file nor the model type's class has one.</summary>
    public bool Bool(string key, bool absent) => BoolOrNull(key) ?? absent;

    /// <summary>A truth value; null if the file says so, or says nothing and the class has no default.</summary>
    public bool? BoolOrNull(string key) => Value(key) is { } value ? ToBool(key, value) : null;

    /// <summary>A text, by default the one of the model type's class.</summary>
    public string Text(string key) => TextOrNull(key) ?? throw Missing(key, "a text");

    /// <summary>A text, or <paramref name="absent"/> if neither the file nor the model type's class has one.</summary>
    public string Text(string key, string absent) => TextOrNull(key) ?? absent;

    /// <summary>A text; null if the file says so, or says nothing and the class has no default.</summary>
    public string? TextOrNull(string key) => Value(key) is { } value ? ToText(key, value) : null;

    /// <summary>A text that must be one of <paramref name="allowed"/>; the error lists them.</summary>
    public string OneOf(string key, params ReadOnlySpan<string> allowed) =>
        TextOrNull(key) is not { } text ? throw Missing(key, $"one of {string.Join(", ", allowed!)}")
        : allowed.Contains(text) ? text : throw Wrong(key, $"\"{text}\"", $"one of {string.Join(", ", allowed!)}");

    /// <summary>Whether the key holds a list, which some keys do where each layer has a value of its own.</summary>
    public bool IsList(string key) => Find(key) is { ValueKind: JsonValueKind.Array };

    /// <summary>Whether the key holds a text.</summary>
    public bool IsText(string key) => Find(key) is { ValueKind: JsonValueKind.String };

    /// <summary>A list of whole numbers; null if absent or null.</summary>
    public int[]? Ints(string key) => List(key, ToInt);

    /// <summary>A list of numbers; null if absent or null.</summary>
    public float[]? Floats(string key) => List(key, ToFloat);

    /// <summary>A list of truth values; null if absent or null.</summary>
    public bool[]? Bools(string key) => List(key, ToBool);

    /// <summary>A list of texts; null if absent or null.</summary>
    public string[]? Texts(string key) => List(key, ToText);

    /// <summary>A nested object, whose keys are tracked like those around it.</summary>
    public ModelConfig Object(string key) => ObjectOrNull(key) ?? throw Missing(key, "an object");

    /// <summary>A nested object; null if absent or null.</summary>
    public ModelConfig? ObjectOrNull(string key) => Value(key) is { } value ? Nested(key, value) : null;

    /// <summary>A list of objects; null if absent or null.</summary>
    public ModelConfig[]? Objects(string key)
    {
        if (Value(key) is not { } list)
            return null;
        if (list.ValueKind != JsonValueKind.Array)
            throw Wrong(key, JsonFile.Quote(list), "a list of objects");
        return [.. list.EnumerateArray().Select((item, index) => Nested($"{key}[{index}]", item))];
    }

    /// <summary>A list of lists of whole numbers; null if absent or null.</summary>
    public int[][]? IntRows(string key) => List(key, (name, row) => row.ValueKind == JsonValueKind.Array
        ? row.EnumerateArray().Select(item => ToInt(name, item)).ToArray()
        : throw Wrong(name, JsonFile.Quote(row), "a list of lists of whole numbers"));

    /// <summary>Counts a key as understood although its value does not matter to this model.</summary>
    public void Ignore(params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
            _read.Add(_prefix + key);
    }

    /// <summary>The keys that nobody read and that are not known to be without effect, with their path.</summary>
    public IReadOnlyList<string> Unread() => [.. Unread(_object, _prefix)];

    /// <summary>Throws if a key was not read: what it asks for would silently be left out.</summary>
    public void RefuseUnread()
    {
        if (Unread() is { Count: > 0 } unread)
            throw new CheckpointException($"{Source}: keys that this server does not know for model type {ModelType}: "
                + $"{string.Join(", ", unread)}. Serving the model without them might give wrong answers.");
    }

    /// <summary>An error about the value of a key: the file, the key, what was found and what is allowed.</summary>
    public CheckpointException Wrong(string key, string found, string allowed) =>
        new($"{Source}: {_prefix}{InFile(key)} is {found}; expected {allowed}.");

    /// <summary>The name that the file has for a key, or for the list of one of its items; the key itself where it has none.</summary>
    string InFile(string key)
    {
        var name = key.Split('[')[0];
        return _object.ValueKind == JsonValueKind.Object && OldKeys.NamesOf(name).FirstOrDefault(old => _object.TryGetProperty(old, out _)) is { } found
            ? found + key[name.Length..]
            : key;
    }

    IEnumerable<string> Unread(JsonElement value, string prefix)
    {
        foreach (var property in value.EnumerateObject())
        {
            var path = prefix + property.Name;
            if (_opened.Contains(path))
                foreach (var inner in UnreadInside(property.Value, path))
                    yield return inner;
            else if (!_read.Contains(path) && !IgnoredKeys.Covers(property.Name, property.Value))
                yield return path;
        }
    }

    IEnumerable<string> UnreadInside(JsonElement value, string path) => value.ValueKind == JsonValueKind.Array
        ? value.EnumerateArray().SelectMany((item, index) => Unread(item, $"{path}[{index}]."))
        : Unread(value, path + ".");

    /// <summary>The value under the key or the first older name of it that the file has.</summary>
    JsonElement? Find(string key)
    {
        foreach (var name in OldKeys.NamesOf(key))
            if (_object.TryGetProperty(name, out var value))
            {
                _read.Add(_prefix + name);
                return value;
            }
        return null;
    }

    JsonElement? Value(string key)
    {
        var found = Find(key);
        if (found is { ValueKind: not JsonValueKind.Null })
            return found;
        var type = _object.TryGetProperty("model_type", out var name) && name.ValueKind == JsonValueKind.String ? name.GetString()! : "";
        return ClassDefaults.Find(type, key, isNull: found is not null) switch
        {
            null => null,
            ClassDefaults.SameAsHeads => Value("num_attention_heads"),
            ClassDefaults.HeadShare => JsonFile.Constant($"{Int("hidden_size") / Math.Max(1, Int("num_attention_heads"))}"),
            var json => JsonFile.Constant(json),
        };
    }

    ModelConfig Nested(string key, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Wrong(key, JsonFile.Quote(value), "an object");
        _opened.Add(_prefix + key.Split('[')[0]);
        return new(value, Source, $"{_prefix}{key}.", _read, _opened, _numbers);
    }

    T[]? List<T>(string key, Func<string, JsonElement, T> convert)
    {
        if (Value(key) is not { } list)
            return null;
        return list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray().Select((item, index) => convert($"{key}[{index}]", item))]
            : throw Wrong(key, JsonFile.Quote(list), "a list");
    }

    int ToInt(string key, JsonElement value)
    {
        // Some writers store whole numbers as 8.0.
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out var number) || number != Math.Floor(number) || Math.Abs(number) > int.MaxValue)
            throw Wrong(key, JsonFile.Quote(value), "a whole number of at most 32 bits");
        if (KeyBounds.Of(key) is { } bounds && (number < bounds.Least || number > bounds.Most))
            throw Wrong(key, $"{(int)number}", $"{bounds.Least} to {bounds.Most}");
        if (!key.Contains('[')) _numbers[_prefix + InFile(key)] = (int)number;
        return (int)number;
    }

    float ToFloat(string key, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out var number) && float.IsFinite(number)
            ? number
            : throw Wrong(key, JsonFile.Quote(value), "a number");

    bool ToBool(string key, JsonElement value) => value.ValueKind is JsonValueKind.True or JsonValueKind.False
        ? value.GetBoolean()
        : throw Wrong(key, JsonFile.Quote(value), "true or false");

    string ToText(string key, JsonElement value) => value.ValueKind == JsonValueKind.String
        ? value.GetString()!
        : throw Wrong(key, JsonFile.Quote(value), "a text");

    CheckpointException Missing(string key, string wanted) => Find(key) is { } found
        ? Wrong(key, JsonFile.Quote(found), wanted)
        : new($"{Source}: {_prefix}{key} is missing; expected {wanted}.");
}
