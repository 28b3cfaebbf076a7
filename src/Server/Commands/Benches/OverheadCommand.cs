using System.CommandLine;
using System.Text.Json;
using Serving.Diagnostics;
using Serving.Server.Bench;

namespace Serving.Server.Commands;

/// <summary>bench overhead: what the server takes of its engine's speed, and what a long queue does.</summary>
static class OverheadCommand
{
    public static Command Create()
    {
        var model = new Argument<string?>("model") { Description = "Checkpoint folder or file.", Arity = ArgumentArity.ZeroOrOne };
        var streams = new Option<int>("--streams") { Description = "Answers at once.", DefaultValueFactory = _ => 32 };
        var tokens = new Option<int>("--tokens") { Description = "Tokens of each.", DefaultValueFactory = _ => 96 };
        var context = new Option<int>("--context") { Description = "Prompt tokens of each.", DefaultValueFactory = _ => 32 };
        var waiting = new Option<int>("--waiting") { Description = "Requests that wait while the engine decodes; 0 leaves that out.", DefaultValueFactory = _ => 10_000 };
        var repeats = new Option<int>("--repeats") { Description = "Rounds of each way, in turns; medians are shown.", DefaultValueFactory = _ => 7 };
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var command = new Command("overhead", "Measures the server against its own engine in one run, and the engine with a long queue.") { model, streams, tokens, context, waiting, repeats, json };
        SettingOptions.AddTo(command, Settings.OfEngine.Except([Settings.MaxNumSeqs]));
        command.SetAction(async (parsed, cancellation) =>
        {
            int[] numbers = [parsed.GetValue(streams), parsed.GetValue(tokens), parsed.GetValue(context), parsed.GetValue(repeats)];
            if (numbers.Any(number => number < 1) || numbers[0] > 4096 || parsed.GetValue(waiting) is < 0 or > 1_000_000)
                throw new SettingException("Streams must be 1 to 4096, tokens, context and repeats at least 1, waiting 0 to 1000000.");
            var report = await RunAsync(parsed.GetValue(model), parsed, numbers, parsed.GetValue(waiting), cancellation);
            Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(report, ServeBenchJson.Default.OverheadReport) : Table(report));
            return 0;
        });
        return command;
    }

    static async Task<OverheadReport> RunAsync(string? path, ParseResult parsed, int[] numbers, int waiting, CancellationToken cancellation)
    {
        var read = new SettingReader(SettingOptions.Values(parsed), Environment.GetEnvironmentVariable);
        var engine = ServeCommand.EngineFrom(read);
        ModelLoading.ChooseKernels(engine.CpuKernels);
        // As many seats as streams, so that whoever else comes waits.
        var options = new ServerOptions
        {
            Model = path ?? read.Text(Settings.Model) ?? ModelLoading.DefaultModel() ?? throw new SettingException("Name a model."), Port = 0, LogLevel = LogLevel.Warning,
            Engine = engine with { MaxSequences = numbers[0], MaxQueuedRequests = waiting + numbers[0], MaxQueueTime = TimeSpan.FromDays(1) },
        };
        var served = ModelLoading.Load(options, new EngineDiagnostics());
        await using var app = ServerApp.Build(options, (_, _) => served);
        await app.StartAsync(cancellation);
        await app.Services.GetRequiredService<EngineHost>().Loaded;
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 4096 }) { BaseAddress = new(app.Urls.First()), Timeout = Timeout.InfiniteTimeSpan };
        var report = await new OverheadBench(served.Engine, http, served.Ids[0], numbers[0], numbers[1], numbers[2]).RunAsync(numbers[3], waiting, cancellation);
        await app.StopAsync(cancellation);
        return report;
    }

    static string Table(OverheadReport report) => $"""
        {report.Streams} streams, in turns     tokens/s   first token ms (50/90/99 %)
        the engine               {report.Engine.TokensPerSecond,10:F1}   {Of(report.Engine.FirstToken)}
        over HTTP                {report.Http.TokensPerSecond,10:F1}   {Of(report.Http.FirstToken)}
        HTTP keeps {report.Kept:P1} of the tokens and adds {report.AddedFirstTokenMs:F1} ms to the 99th percentile of the first
        """ + (report.Waiting == 0 ? "" : $"\n{report.Streams} streams decode {report.Alone:F1} tokens/s, and {report.WhileWaiting:F1} while {report.Waiting:N0} requests wait: slower by {report.SlowedByQueue:P1}");

    static string Of(Percentiles p) => $"{p.P50,8:F1} {p.P90,8:F1} {p.P99,8:F1}";
}
