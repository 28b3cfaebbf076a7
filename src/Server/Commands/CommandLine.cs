using System.CommandLine;
using Serving.Model;

namespace Serving.Server.Commands;

/// <summary>The program's commands and options, and what is said of those it does not know.</summary>
static class CommandLine
{
    const int Misused = 2;

    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            var root = Root();
            if (args is [[not '-', ..] command, ..] && root.Subcommands.All(c => c.Name != command))
                throw new SettingException($"There is no command '{command}'." + (Settings.Nearest(command, root.Subcommands.Select(c => c.Name)) is { } near
                    ? $" Did you mean '{near}'?"
                    : " 'serving --help' lists them."));
            var parsed = root.Parse(Known(args, root), new() { ResponseFileTokenReplacer = null });
            if (parsed.Errors is [var first, ..])
                throw new SettingException(first.Message);
            return await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false });
        }
        catch (Exception error) when (error is SettingException or CheckpointException or IOException or ArgumentException)
        {
            await Console.Error.WriteLineAsync($"serving: {error.Message}");
            return Misused;
        }
    }

    /// <summary>Every command; serving is what the program does when none is named.</summary>
    public static RootCommand Root()
    {
        var root = new RootCommand("Serves a language model over the OpenAI protocol.");
        SettingOptions.AddTo(root, Settings.All);
        root.SetAction((parsed, cancellation) => ServeCommand.RunAsync(SettingOptions.Values(parsed), cancellation));
        root.Add(ServeCommand.Create());
        root.Add(HealthCommand.Create());
        root.Add(EvalCommand.Create());
        root.Add(BenchCommand.Create());
        return root;
    }

    /// <summary>The arguments with vLLM's harmless ones left out; an option that nobody knows is an error that names the nearest.</summary>
    static List<string> Known(string[] args, RootCommand root)
    {
        var options = root.Subcommands.Append(root).SelectMany(c => c.Options).SelectMany(o => o.Aliases.Append(o.Name)).ToHashSet();
        var kept = new List<string>();
        for (var i = 0; i < args.Length; i++)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal) || args[i].Length == 2)
            {
                kept.Add(args[i]);
                continue;
            }
            var (flag, value) = args[i].Split('=', 2) is [var before, var after] ? (before, after) : (args[i], null);
            flag = flag.Replace('_', '-');
            var (name, next) = (flag[2..], value ?? args.ElementAtOrDefault(i + 1));
            if (options.Contains(flag))
                kept.Add(value is null ? flag : $"{flag}={value}");
            else if (Settings.IsHarmless(name, next))
                i += value is null ? 1 : 0;
            else
                throw new SettingException(Settings.Refusal(name, next) ?? Unknown(flag, options));
        }
        return kept;
    }

    static string Unknown(string flag, IEnumerable<string> options) =>
        $"There is no option {flag}." + (Settings.Nearest(flag, options) is { } near ? $" Did you mean {near}?" : " 'serving --help' lists them.");
}
