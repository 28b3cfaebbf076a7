using System.CommandLine;
using System.CommandLine.Help;
using Serving.Model;

namespace Serving.Server.Commands;

/// <summary>The program's commands and options, and what is said of those it does not know.</summary>
static class CommandLine
{
    const int Misused = 2;

    // What shells report of a program that was broken off.
    const int Interrupted = 130;

    /// <summary>The parser of the command line ends the process so long after a signal, which no drain may need.</summary>
    static readonly TimeSpan LongestDrain = TimeSpan.FromHours(2);

    /// <summary>Runs what the arguments ask for; the parser's own words go to <paramref name="output"/>, standard output when null.</summary>
    public static async Task<int> RunAsync(string[] args, TextWriter? output = null)
    {
        try
        {
            var parsed = Parse(args, Root());
            return await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = LongestDrain, Output = output ?? Console.Out });
        }
        catch (Exception error) when (error is SettingException or CheckpointException or IOException or ArgumentException or InsufficientMemoryException)
        {
            await Console.Error.WriteLineAsync($"serving: {error.Message}");
            return Misused;
        }
        catch (OperationCanceledException)
        {
            // Whoever broke it off knows.
            return Interrupted;
        }
    }

    /// <summary>The settings that arguments of the default command give; a mistake is a <see cref="SettingException"/>.</summary>
    public static Dictionary<string, string[]> Flags(string[] args) => SettingOptions.Values(Parse(args, Root()));

    /// <summary>Every command; serving is what the program does when none is named.</summary>
    public static RootCommand Root()
    {
        var root = new RootCommand("Serves a language model over the OpenAI protocol.");
        // What other systems call help would stand among the completions.
        var help = root.Options.OfType<HelpOption>().Single();
        help.Aliases.Clear();
        help.Aliases.Add("-h");
        SettingOptions.AddTo(root, Settings.All);
        root.SetAction((parsed, cancellation) => ServeCommand.RunAsync(SettingOptions.Values(parsed), cancellation));
        root.Add(ServeCommand.Create());
        root.Add(ChatCommand.Create());
        root.Add(CompleteCommand.Create());
        root.Add(HealthCommand.Create());
        root.Add(InspectCommand.Create());
        root.Add(PlanCommand.Create());
        root.Add(EvalCommand.Create());
        root.Add(BenchCommand.Create());
        root.Add(CompletionCommand.Create());
        return root;
    }

    static ParseResult Parse(string[] args, RootCommand root)
    {
        // A line that a shell wants completed is not yet right.
        if (args is [['[', ..], ..])
            return root.Parse(args);
        var names = root.Subcommands.Select(c => c.Name).ToList();
        if (args is [[not '-', ..] command, ..] && !names.Contains(command))
            throw new SettingException($"There is no command '{command}'." + Suggestion(command, names));
        var parsed = root.Parse(Known(args, root), new() { ResponseFileTokenReplacer = null });
        return parsed.Errors is [var first, ..] ? throw new SettingException(first.Message) : parsed;
    }

    /// <summary>The arguments with vLLM's harmless ones left out; an option that nobody knows is an error that names the nearest.</summary>
    static List<string> Known(string[] args, RootCommand root)
    {
        var command = Named(args, root);
        var options = command.Options.Concat(root.Options.Where(option => option.Recursive)).SelectMany(o => o.Aliases.Append(o.Name)).ToHashSet();
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
                throw new SettingException(Settings.Refusal(name, next) ?? Unknown(flag, options, command));
        }
        return kept;
    }

    /// <summary>The command that the first words name.</summary>
    static Command Named(string[] args, RootCommand root)
    {
        Command command = root;
        foreach (var word in args)
        {
            if (command.Subcommands.FirstOrDefault(c => c.Name == word) is not { } next)
                break;
            command = next;
        }
        return command;
    }

    static string Unknown(string flag, IEnumerable<string> options, Command command) =>
        $"There is no option {flag}{(command is RootCommand ? "" : $" of '{command.Name}'")}." + Suggestion(flag, options, command is RootCommand ? "serving" : $"serving {command.Name}");

    static string Suggestion(string name, IEnumerable<string> known, string helper = "serving") =>
        Settings.Nearest(name, known) is { } near ? $" Did you mean {near}?" : $" '{helper} --help' lists them.";
}
