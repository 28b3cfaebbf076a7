namespace Serving.Tests;

/// <summary>Where the tests' files lie.</summary>
static class Fixtures
{
    static readonly string Root = FindRoot();

    /// <summary>Rounds of a random test: as given, or ten times as many where SERVING_TEST_ALL is true.</summary>
    public static int Rounds(int plain) => All ? 10 * plain : plain;

    /// <summary>Whether tests that take minutes are wanted too.</summary>
    public static bool All { get; } = Environment.GetEnvironmentVariable("SERVING_TEST_ALL") == "true";

    /// <summary>A file under <c>tests/fixtures</c>.</summary>
    public static string Path(string relative) => System.IO.Path.Combine(Root, "tests", "fixtures", relative);

    /// <summary>A file or folder of the repository.</summary>
    public static string InRepository(string relative) => System.IO.Path.Combine(Root, relative);

    static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Serving.sln")))
                return folder.FullName;
        throw new DirectoryNotFoundException($"No Serving.sln above {AppContext.BaseDirectory}.");
    }
}
