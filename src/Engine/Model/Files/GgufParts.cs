using System.Globalization;
using System.Text.RegularExpressions;
using Serving.Devices;

namespace Serving.Model;

/// <summary>A GGUF model of one file or several (split.count): the metadata of the first, the tensors of all.</summary>
public sealed partial class GgufParts : IDisposable
{
    const int MostParts = 999;

    readonly List<GgufFile> _files = [];
    readonly Dictionary<string, StoredTensor> _tensors = [];

    GgufParts()
    {
    }

    /// <summary>The metadata of the first file.</summary>
    public GgufMetadata Metadata => _files[0].Metadata;

    /// <summary>The paths of all files, in order.</summary>
    public IEnumerable<string> Paths => _files.Select(file => file.Path);

    /// <summary>The tensors of all files by their own names.</summary>
    public IReadOnlyDictionary<string, StoredTensor> Tensors => _tensors;

    /// <summary>Opens the model that <paramref name="path"/> is, or is a part of.</summary>
    public static GgufParts Open(string path)
    {
        var parts = new GgufParts();
        try
        {
            parts.Add(path);
            return parts;
        }
        catch
        {
            parts.Dispose();
            throw;
        }
    }

    /// <summary>The one model in a folder, by the path of its only file or its first part; null if the folder has no GGUF file.</summary>
    public static string? FindIn(string folder)
    {
        var files = Directory.GetFiles(folder, "*.gguf").Order(StringComparer.Ordinal).ToArray();
        var firsts = files.Where(file => NumberOf(file) is null or 1).ToArray();
        return (files.Length, firsts.Length) switch
        {
            (0, _) => null,
            (_, 1) => firsts[0],
            (_, 0) => throw new CheckpointException(
                $"{folder} has parts of a split model but not its first one (…-00001-of-…): {Names(files)}."),
            _ => throw new CheckpointException($"{folder} has {firsts.Length} models; name one of them: {Names(firsts)}."),
        };
    }

    /// <summary>Unmaps all files: their tensors must not be touched any more.</summary>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    static string Names(IEnumerable<string> files) => string.Join(", ", files.Select(Path.GetFileName));

    static int? NumberOf(string path) => PartName().Match(path) is { Success: true } match ? Parse(match.Groups["part"]) : null;

    static int Parse(Group digits) => int.Parse(digits.ValueSpan, CultureInfo.InvariantCulture);

    void Add(string path)
    {
        var named = GgufFile.Open(path);
        _files.Add(named);
        var count = named.Metadata.Int("split.count") ?? 1;
        if (count is < 1 or > MostParts)
            throw new CheckpointException($"{path}: split.count is {count}; 1 to {MostParts} is expected.");
        if (count > 1)
            OpenAll(path, (int)count);
        foreach (var file in _files)
            Merge(file);
        if (count > 1 && Metadata.Int("split.tensors.count") is { } expected && expected != _tensors.Count)
            throw new CheckpointException(
                $"{path}: split.tensors.count is {expected}, but the {count} files hold {_tensors.Count} tensors.");
    }

    void OpenAll(string path, int count)
    {
        var match = PartName().Match(path);
        if (!match.Success || Parse(match.Groups["count"]) != count)
            throw new CheckpointException(
                $"{path} is part of {count}; its name must end in -00001-of-{count:D5}.gguf so that the others can be found.");
        Dispose();
        _files.Clear();
        for (var part = 0; part < count; part++)
        {
            var file = GgufFile.Open($"{match.Groups["name"]}-{part + 1:D5}-of-{count:D5}.gguf");
            _files.Add(file);
            Expect(file, "split.count", count);
            Expect(file, "split.no", part);
        }
    }

    static void Expect(GgufFile file, string key, long value)
    {
        if (file.Metadata.Int(key) is var found && found != value)
            throw new CheckpointException(
                $"{file.Path}: {key} is {found?.ToString() ?? "missing"}; its name and the other parts say {value}.");
    }

    void Merge(GgufFile file)
    {
        foreach (var (name, tensor) in file.Tensors)
            if (!_tensors.TryAdd(name, tensor))
                throw new CheckpointException($"{file.Path}: tensor {name} stands in an earlier part too.");
    }

    [GeneratedRegex(@"^(?<name>.*)-(?<part>\d{5})-of-(?<count>\d{5})\.gguf$", RegexOptions.Singleline)]
    private static partial Regex PartName();
}
