using System.Text.RegularExpressions;

namespace Serving.Tests;

/// <summary>The source of this repository.</summary>
public static partial class Repository
{
    static readonly string[] Skipped = ["artifacts", "bin", "obj", "node_modules"];

    public static string Root { get; } = Path.GetFullPath(Fixtures.InRepository(""));

    /// <summary>All files under a folder, relative to the repository.</summary>
    public static IEnumerable<string> Files(string folder) => Directory
        .EnumerateFiles(Path.Combine(Root, folder), "*", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/'))
        .Where(file => !file.Split('/').Any(Skipped.Contains));

    /// <summary>The C# files under a folder, but for generated ones.</summary>
    public static IEnumerable<SourceFile> Sources(string folder) => Files(folder)
        .Where(file => file.EndsWith(".cs", StringComparison.Ordinal))
        .Select(file => new SourceFile(file, File.ReadAllText(Path.Combine(Root, file))))
        .Where(source => !source.IsGenerated);

    /// <summary>The words of identifiers and text: "MlaPlan" has the words "Mla" and "Plan".</summary>
    public static IEnumerable<Match> Words(string text) => Word().Matches(text);

    [GeneratedRegex("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")]
    private static partial Regex Word();
}
