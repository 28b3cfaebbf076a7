using System.CommandLine;
using System.CommandLine.Parsing;

namespace Serving.Server.Commands;

/// <summary>Settings as options of a command line.</summary>
static class SettingOptions
{
    public static void AddTo(Command command, IEnumerable<Setting> settings)
    {
        foreach (var setting in settings)
        {
            command.Add(Option(setting, setting.Flag, hidden: false));
            if (setting.IsSwitch)
                command.Add(Option(setting, "--no-" + setting.Name, hidden: true));
        }
    }

    /// <summary>The values that the command line gives, by name of setting.</summary>
    public static Dictionary<string, string[]> Values(ParseResult parsed)
    {
        var values = new Dictionary<string, string[]>();
        foreach (var result in parsed.CommandResult.Children.OfType<OptionResult>().Where(r => !r.Implicit))
        {
            var name = result.Option.Name[2..];
            string[] given = [.. result.Tokens.Select(token => token.Value)];
            if (Settings.Find(name) is not null)
                values[name] = given.Length > 0 ? given : ["true"];
            else if (name.StartsWith("no-", StringComparison.Ordinal))
                values[name[3..]] = ["false"];
        }
        return values;
    }

    static Option<string[]> Option(Setting setting, string flag, bool hidden) => new(flag)
    {
        Description = $"{setting.Help}{(setting.Default is { } value ? $" [default: {value}]" : "")} [{setting.Variable}]",
        Hidden = hidden,
        HelpName = setting.IsSwitch ? "true|false" : setting.IsList ? "values" : "value",
        CustomParser = result => [.. result.Tokens.Select(token => token.Value)],
        AllowMultipleArgumentsPerToken = setting.IsList,
        Arity = hidden ? ArgumentArity.Zero : setting.IsSwitch ? ArgumentArity.ZeroOrOne : setting.IsList ? ArgumentArity.OneOrMore : ArgumentArity.ExactlyOne,
    };
}
