using Spectre.Console;

namespace Serving.Server.Commands;

/// <summary>A bar on standard error for work that takes long; nothing where that is no terminal.</summary>
static class ProgressBar
{
    /// <summary>Fewer columns than a bar with its numbers takes without breaking lines.</summary>
    const int Narrow = 36;

    /// <summary>Shows a bar while work runs, which calls what it is given at the end of every one of <paramref name="steps"/>.</summary>
    public static async Task<T> ShowAsync<T>(string title, int steps, Func<Action, Task<T>> work)
    {
        if (Console.IsErrorRedirected)
            return await work(() => { });
        var console = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(Console.Error) });
        return await console.Progress().AutoClear(true)
            .Columns(console.Profile.Width < Narrow ? [new TaskDescriptionColumn(), new PercentageColumn()]
                : [new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn()])
            .StartAsync(shown =>
            {
                var task = shown.AddTask(Markup.Escape(title), maxValue: steps);
                return work(() => task.Increment(1));
            });
    }
}
