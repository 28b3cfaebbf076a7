using System.CommandLine;

namespace Serving.Server.Commands;

/// <summary>completion: prints what makes a shell complete commands and options. The shell asks the program itself, so that it knows this version's.</summary>
static class CompletionCommand
{
    static readonly Dictionary<string, string> Scripts = new()
    {
        ["bash"] = """
            _serving() {
                local line=${COMP_LINE#"${COMP_WORDS[0]}"}
                local point=$((COMP_POINT - ${#COMP_LINE} + ${#line} - 1)) IFS=$'\n'
                COMPREPLY=($("${COMP_WORDS[0]}" "[suggest:$((point < 0 ? 0 : point))]" "${line# }" 2>/dev/null))
                COMPREPLY=($(compgen -W "${COMPREPLY[*]}" -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o default -F _serving serving

            """,
        ["zsh"] = """
            #compdef serving
            _serving() {
                local line="${words[2,CURRENT]}"
                local -a found=(${(f)"$("${words[1]}" "[suggest:${#line}]" "$line" 2>/dev/null)"})
                compadd -- $found || _files
            }
            compdef _serving serving

            """,
        ["fish"] = """
            function __serving_suggest
                set -l line (commandline -cp | string replace -r '^\s*\S+\s?' '')
                serving "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
            end
            complete -c serving -a '(__serving_suggest)'

            """,
    };

    public static Command Create()
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish.", CompletionSources = { _ => Scripts.Keys.Select(name => new System.CommandLine.Completions.CompletionItem(name)) } };
        var command = new Command("completion", "Prints a script that makes a shell complete commands and options: source <(serving completion bash).") { shell };
        command.SetAction(parsed => Console.Write(ScriptOf(parsed.GetValue(shell)!)));
        return command;
    }

    /// <summary>The script of a shell.</summary>
    public static string ScriptOf(string shell) => Scripts.GetValueOrDefault(shell)
        ?? throw new SettingException($"There is no completion for '{shell}'; {string.Join(", ", Scripts.Keys)} have one.");
}
