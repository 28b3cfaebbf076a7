using System.Numerics;
using Serving.Text.Templates.Library;

namespace Serving.Text.Templates.Values;

/// <summary>A dictionary that keeps the order of insertion; built once, then only read.</summary>
sealed class Dict : Value
{
    readonly OrderedDictionary<object, (Value Key, Value Value)> _entries = [];

    public override string TypeName => "dict";

    public override bool IsTrue => _entries.Count > 0;

    public override bool IsSequence => true;

    public override int? Length => _entries.Count;

    public override IReadOnlyList<Value> Items => [.. Entries.Select(entry => entry.Key)];

    public IEnumerable<(Value Key, Value Value)> Entries => _entries.Values;

    public int Count => _entries.Count;

    public Value? this[string key] => _entries.TryGetValue(key, out var entry) ? entry.Value : null;

    public void Set(string key, Value value) => Set(new Str(key), value);

    /// <summary>Sets an entry; an existing one keeps its place and its first key, as in Python.</summary>
    public void Set(Value key, Value value)
    {
        var identity = Identity(key)
            ?? throw TemplateException.Runtime($"unhashable type: '{key.TypeName}' cannot be a key of a dictionary.");
        _entries[identity] = _entries.TryGetValue(identity, out var old) ? (old.Key, value) : (key, value);
    }

    public void Remove(string key) => _entries.Remove(key);

    public override Value? Lookup(Value key) =>
        Identity(key) is { } identity && _entries.TryGetValue(identity, out var entry) ? entry.Value : null;

    public override Value? Member(string name) => DictMethods.Of(this, name);

    public override void Write(TextBuilder output, bool quoted)
    {
        output.Rendering.Enter();
        output.Append("{");
        var first = true;
        foreach (var (key, value) in Entries)
        {
            if (!first) output.Append(", ");
            first = false;
            key.Write(output, quoted: true);
            output.Append(": ");
            output.Rendering.Step();
            value.Write(output, quoted: true);
        }
        output.Append("}");
        output.Rendering.Leave();
    }

    /// <summary>What makes two keys the same one (1, 1.0 and True are); null for what Python cannot hash and for tuples of more than
    /// scalars.</summary>
    public static object? Identity(Value key) => key switch
    {
        Str text => text.Text,
        Int or Bool => key.AsInteger(),
        Float number when double.IsInteger(number.Number) => new BigInteger(number.Number),
        Float number => number.Number,
        None => key,
        TupleValue tuple => TupleIdentity(tuple),
        Undefined or Callable => key,
        _ => null,
    };

    static (string, int)? TupleIdentity(TupleValue tuple)
    {
        var spelled = new System.Text.StringBuilder();
        foreach (var item in tuple.Items)
        {
            if (item is TupleValue || Identity(item) is not { } identity) return null;
            var text = identity.ToString()!;
            spelled.Append(identity.GetType().Name).Append(text.Length).Append(':').Append(text);
        }
        return (spelled.ToString(), tuple.Items.Count);
    }
}

/// <summary>What <c>keys()</c>, <c>values()</c> and <c>items()</c> give.</summary>
sealed class DictView(string name, IReadOnlyList<Value> items) : Value
{
    public override string TypeName => name;

    public override bool IsTrue => Items.Count > 0;

    public override int? Length => Items.Count;

    public override IReadOnlyList<Value> Items { get; } = items;

    public override void Write(TextBuilder output, bool quoted) => Sequences.Write(output, name + "([", Items, "])");
}
