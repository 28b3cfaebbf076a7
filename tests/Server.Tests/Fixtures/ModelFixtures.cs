using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Serving.Model;

namespace Serving.Tests;

/// <summary>The tiny checkpoints of this repository, and what other libraries computed for them.</summary>
static partial class ModelFixtures
{
    /// <summary>The repository.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Folders of checkpoints, as in "hf/llama_mha".</summary>
    public static TheoryData<string> All() => [.. ((string[])["hf", "schemes"])
        .SelectMany(kind => Directory.GetDirectories(PathOf(kind)).Select(folder => $"{kind}/{Path.GetFileName(folder)}")).Order(StringComparer.Ordinal)];

    /// <summary>Where a fixture lies.</summary>
    public static string PathOf(string fixture) => Path.Combine(Root, "tests", "fixtures", fixture);

    /// <summary>The prompts of a fixture and the greedy continuation of each.</summary>
    public static (int[] Prompt, int[] Answer)[] Golden(string fixture)
    {
        using var file = SafetensorsFile.Open(Path.Combine(PathOf(fixture), "golden.safetensors"));
        return [.. file.Unserved.Select(tensor => Prompt().Match(tensor.Key)).Where(match => match.Success)
            .Select(match => int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture))
            .Select(number => (Ids($"{number}.input_ids"), Ids($"{number}.greedy_ids")))];

        int[] Ids(string name) => [.. file.Int64(name).Select(id => (int)id)];
    }

    /// <summary>Ids that a fixture's configuration says are parts of images.</summary>
    public static int[] ImageIds(string fixture)
    {
        using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(PathOf(fixture), "config.json")));
        return config.RootElement.TryGetProperty("image_token_ids", out var ids) ? [.. ids.EnumerateArray().Select(id => id.GetInt32())] : [];
    }

    static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Serving.sln")))
                return folder.FullName;
        throw new DirectoryNotFoundException($"No Serving.sln above {AppContext.BaseDirectory}.");
    }

    [GeneratedRegex(@"\A(\d+)\.input_ids\z")]
    private static partial Regex Prompt();
}
