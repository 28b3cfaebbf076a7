using System.CommandLine;
using System.Text;
using Serving.Server.Commands;

namespace Serving.Tests;

/// <summary>docs/options.md lists every command and option; <c>tests/run --docs</c> writes it.</summary>
public sealed class OptionsPageTests
{
    [Fact]
    public void The_page_lists_every_option()
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Serving.sln")))
            root = Path.GetDirectoryName(root)!;
        var (path, page) = (Path.Combine(root, "docs", "options.md"), Page());
        if (Environment.GetEnvironmentVariable("SERVING_WRITE_DOCS") == "true")
            File.WriteAllText(path, page);
        Assert.True(File.Exists(path) && File.ReadAllText(path) == page, "docs/options.md does not list the options as they are; tests/run --docs writes it.");
    }

    static string Page()
    {
        var page = new StringBuilder("""
            # Commands and options

            Written by `tests/run --docs` from the program's own commands. A setting of the server may be given as a flag, by the environment, or in the
            JSON file that `--config` names, under the flag's name without dashes; the flag goes before the environment, and the environment before the
            file. Switches are turned off by `--no-NAME`. An option that a command does not know ends it with status 2 and the nearest name that it knows.
            `serving completion bash` (or `zsh`, `fish`) prints what makes a shell complete all of this.

            ## Settings of the server

            For `serving serve`, or `serving` alone.

            | setting | environment | when left out | |
            |---|---|---|---|

            """);
        foreach (var setting in Settings.All)
            page.Append($"| `{setting.Flag}` | `{setting.Variable}` | {(setting.Default is { } value ? $"`{value}`" : "")} | {Cell(setting.Help)} |\n");
        page.Append($"\n\"Settings of the engine\" below are {string.Join(", ", Settings.OfEngine.Select(setting => $"`{setting.Flag}`"))}.\n");
        foreach (var command in CommandLine.Root().Subcommands)
            Add(page, command, "serving ");
        return page.ToString();
    }

    static void Add(StringBuilder page, Command command, string path)
    {
        page.Append($"\n## {path}{command.Name}\n\n{command.Description}\n");
        var settings = command.Options.Where(option => Settings.Find(option.Name.TrimStart('-')) is { } setting && option.Description!.StartsWith(setting.Help, StringComparison.Ordinal))
            .Select(option => option.Name).ToHashSet();
        var own = command.Options.Where(option => !settings.Contains(option.Name) && option is { Hidden: false, Recursive: false }).ToList();
        if (command.Arguments.Count + own.Count > 0)
            page.Append("\n| | |\n|---|---|\n");
        foreach (var argument in command.Arguments)
            page.Append($"| `{argument.Name}` | {Cell(argument.Description!)} |\n");
        foreach (var option in own)
            page.Append($"| `{option.Name}` | {Cell(option.Description!)} |\n");
        if (settings.IsSupersetOf(Settings.All.Select(setting => setting.Flag)))
            page.Append("\nAll settings of the server.\n");
        else if (settings.IsSupersetOf(Settings.OfEngine.Select(setting => setting.Flag)))
            page.Append("\nSettings of the engine.\n");
        else if (settings.Count > 0)
            page.Append($"\nSettings {string.Join(", ", settings.Order().Select(name => $"`{name}`"))}.\n");
        foreach (var below in command.Subcommands)
            Add(page, below, $"{path}{command.Name} ");
    }

    static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
