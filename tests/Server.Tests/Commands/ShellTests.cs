using System.Diagnostics;
using Serving.Server.Commands;

namespace Serving.Tests;

public sealed class ShellTests
{
    [Theory]
    [InlineData("he", "health")]
    [InlineData("bench e", "engine")]
    [InlineData("eval --perp", "--perplexity")]
    [InlineData("serve --kv-cache-d", "--kv-cache-dtype")]
    [InlineData("completion z", "zsh")]
    public async Task A_shell_is_told_what_a_line_may_go_on_with(string line, string wanted)
    {
        var output = new StringWriter();
        Assert.Equal(0, await CommandLine.RunAsync([$"[suggest:{line.Length}]", line], output));
        Assert.Contains(wanted, output.ToString().Split('\n', StringSplitOptions.TrimEntries));
    }

    [Fact]
    public async Task A_shell_is_told_of_one_spelling_of_help_and_its_letter()
    {
        var output = new StringWriter();
        await CommandLine.RunAsync(["[suggest:6]", "bench "], output);
        Assert.Equal(["--help", "-h"], output.ToString().Split('\n', StringSplitOptions.TrimEntries).Where(line => line.StartsWith('-') || line.StartsWith('/')).Order());
    }

    [Fact]
    public async Task The_script_for_bash_completes_by_the_program()
    {
        const string Program = """
            serving() { printf '%s|%s\n' "$1" "$2" > "$LOG"; printf 'serve\nhealth\nplan\n'; }
            COMP_LINE='serving he'; COMP_POINT=10; COMP_WORDS=(serving he); COMP_CWORD=1
            _serving; echo "${COMPREPLY[@]}"; cat "$LOG"
            """;
        var log = Path.GetTempFileName();
        using var bash = Process.Start(new ProcessStartInfo("bash", ["-c", CompletionCommand.ScriptOf("bash") + Program])
        {
            RedirectStandardOutput = true, Environment = { ["LOG"] = log },
        })!;
        Assert.Equal("health\n[suggest:2]|he\n", await bash.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
        File.Delete(log);
        Assert.Contains("bash, zsh, fish", Assert.Throws<SettingException>(() => CompletionCommand.ScriptOf("cmd")).Message);
    }
}
