using System.Collections.Immutable;
using System.IO.Enumeration;
using Serving.Devices;

namespace Serving.Model;

/// <summary>
/// Keeps book of a checkpoint's tensors: each is taken exactly once, by rows or whole, or left out for a stated reason. One thread only.
/// </summary>
public sealed class TensorLedger(Checkpoint checkpoint)
{
    const int MostListed = 12;

    readonly Dictionary<string, RowSet> _taken = [];
    readonly HashSet<string> _ignored = [];
    readonly Dictionary<string, ModelConfig?> _companions = [];

    /// <summary>Whether the checkpoint has the tensor.</summary>
    public bool Has(string name) => checkpoint.Tensors.ContainsKey(name) || checkpoint.Unserved.ContainsKey(name);

    /// <summary>Whether the checkpoint has a tensor whose name matches a pattern (* stands for anything).</summary>
    public bool HasAny(string pattern) => Names().Any(name => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false));

    /// <summary>How many values a vector has; null if the checkpoint does not have it.</summary>
    public int? Length(string name) => checkpoint.Tensors.TryGetValue(name, out var tensor) ? tensor.Columns : null;

    /// <summary>The tensors 0 or 1 and on of a name with "{0}" in it; the name itself without.</summary>
    public IEnumerable<string> Numbered(string name) => !name.Contains("{0}", StringComparison.Ordinal)
        ? [name]
        : Enumerable.Range(Has(string.Format(name, 0)) ? 0 : 1, int.MaxValue - 1).Select(i => string.Format(name, i)).TakeWhile(Has);

    /// <summary>A further configuration file of the checkpoint; null if it has none of that name.</summary>
    public ModelConfig? Companion(string fileName) => _companions.TryGetValue(fileName, out var known)
        ? known
        : _companions[fileName] = checkpoint.Companion(fileName);

    /// <summary>The further configuration files that were asked for and are there.</summary>
    public IEnumerable<ModelConfig> Companions => _companions.Values.OfType<ModelConfig>();

    /// <summary>The values of a tensor of bytes in a file beside the weights.</summary>
    public byte[] CompanionBytes(string fileName, string tensor) => checkpoint.CompanionBytes(fileName, tensor);

    /// <summary>Sizes of a tensor, outermost first; null where it is missing or of a type that is not served.</summary>
    public ImmutableArray<int>? ShapeOf(string name) => checkpoint.Tensors.TryGetValue(name, out var tensor) ? tensor.Shape : null;

    /// <summary>The whole tensor, which must have the given shape and not have been taken before.</summary>
    public StoredTensor Take(string name, params ReadOnlySpan<int> shape)
    {
        var tensor = Find(name, shape);
        Mark(tensor, 0, Length(tensor));
        return tensor;
    }

    /// <summary>The whole tensor if the checkpoint has it, else null.</summary>
    public StoredTensor? TakeIfThere(string name, params ReadOnlySpan<int> shape) => Has(name) ? Take(name, shape) : null;

    /// <summary>
    /// A range of the outermost size (rows of a fused matrix, entries of a bias or an expert stack); the whole tensor must have the given
    /// shape, and no part of the range may have been taken before.
    /// </summary>
    public StoredTensor TakeRows(string name, int from, int count, params ReadOnlySpan<int> shape)
    {
        var tensor = Find(name, shape);
        if (from < 0 || count < 1 || from > Length(tensor) - count)
            throw Error($"tensor {name} {tensor.Describe()} has no rows {from} to {from + (long)count}");
        Mark(tensor, from, count);
        return tensor.Slice(from, count);
    }

    /// <summary>A tensor that was taken before, for a second use: the embedding as the head.</summary>
    public StoredTensor TakeAgain(string name, params ReadOnlySpan<int> shape) => _taken.ContainsKey(name)
        ? Find(name, shape)
        : throw Error($"tensor {name} is to be used a second time, but was not used before");

    /// <summary>Leaves out the tensors whose names match a pattern (* stands for anything), and says why; there may be none.</summary>
    public void Ignore(string pattern, string reason)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        foreach (var name in Names().Where(name => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false)))
            _ignored.Add(name);
    }

    /// <summary>Ends the book: throws if a tensor was neither taken whole nor left out, and lists those that were not.</summary>
    public void Close()
    {
        string[] left = [.. Names().Except(_ignored).Select(Leftover).OfType<string>().Order(StringComparer.Ordinal)];
        if (left.Length == 0)
            return;
        var more = left.Length > MostListed ? $" and {left.Length - MostListed} more" : "";
        throw Error($"{left.Length} tensors were not used, so this is not the model its configuration describes: "
            + string.Join(", ", left.Take(MostListed)) + more);
    }

    static int Length(StoredTensor tensor) => tensor.Shape.IsEmpty ? 1 : tensor.Shape[0];

    IEnumerable<string> Names() => checkpoint.Tensors.Keys.Concat(checkpoint.Unserved.Keys);

    string? Leftover(string name)
    {
        if (!checkpoint.Tensors.TryGetValue(name, out var tensor))
            return $"{name} ({checkpoint.Unserved[name]})";
        if (!_taken.TryGetValue(name, out var rows))
            return $"{name} {tensor.Describe()}";
        return rows.FirstGap(Length(tensor)) is { } gap ? $"{name} {tensor.Describe()} from row {gap} on" : null;
    }

    StoredTensor Find(string name, ReadOnlySpan<int> shape)
    {
        if (checkpoint.Unserved.TryGetValue(name, out var type))
            throw Error($"tensor {name} is stored as {type}; served are {SafetensorsType.ServedNames}");
        if (!checkpoint.Tensors.TryGetValue(name, out var tensor))
            throw Error($"tensor {name}{(shape.IsEmpty ? "" : $" {Describe(shape)}")} is missing");
        return shape.IsEmpty || tensor.Shape.AsSpan().SequenceEqual(shape)
            ? tensor
            : throw Error($"tensor {name} is {Describe(tensor.Shape.AsSpan())}; the configuration asks for {Describe(shape)}");
    }

    void Mark(StoredTensor tensor, int from, int count)
    {
        if (!_taken.TryGetValue(tensor.Name, out var rows))
            _taken.Add(tensor.Name, rows = new());
        if (!rows.TryAdd(from, from + count))
            throw Error($"tensor {tensor.Name}: rows {from} to {from + count} were used before");
    }

    CheckpointException Error(string message) => new($"{checkpoint.Path}: {message}.");

    static string Describe(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    /// <summary>Row ranges that do not overlap, sorted.</summary>
    sealed class RowSet
    {
        readonly SortedList<int, int> _ranges = [];

        public bool TryAdd(int from, int to)
        {
            foreach (var (start, end) in _ranges)
                if (from < end && start < to)
                    return false;
            _ranges.Add(from, to);
            return true;
        }

        public int? FirstGap(int length)
        {
            var covered = 0;
            foreach (var (start, end) in _ranges)
            {
                if (start > covered)
                    break;
                covered = end;
            }
            return covered < length ? covered : null;
        }
    }
}
