using System.CommandLine;
using System.Text.Json;
using Serving.Server.Bench;

namespace Serving.Server.Commands;

/// <summary>bench serve: what clients of a running server see under load.</summary>
static class BenchServeCommand
{
    public static Command Create()
    {
        var url = new Argument<string>("url") { Description = "The server's address.", DefaultValueFactory = _ => "http://127.0.0.1:8080" };
        var clients = new Option<int[]>("--clients") { Description = "Clients who wait for their answers; one load for each number.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 8, 32] };
        var rates = new Option<double[]>("--rates") { Description = "Requests a second that come at random times (Poisson); one load for each.", AllowMultipleArgumentsPerToken = true };
        var overload = new Option<bool>("--overload") { Description = "Last, send twice what the largest number of clients was answered." };
        var seconds = new Option<double>("--seconds") { Description = "Time of each load.", DefaultValueFactory = _ => 30 };
        var tokens = new Option<int>("--max-tokens") { Description = "Most tokens of an answer.", DefaultValueFactory = _ => 64 };
        var first = new Option<double>("--goal-first-token-ms") { Description = "A request counts as good if its first token came within this time.", DefaultValueFactory = _ => 2000 };
        var gap = new Option<double>("--goal-gap-ms") { Description = "And if its tokens came at this distance on average.", DefaultValueFactory = _ => 200 };
        var seed = new Option<int>("--seed") { Description = "Seeds arrivals and sampling.", DefaultValueFactory = _ => 1 };
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var plot = BarPicture.Option();
        var command = new Command("serve", "Measures a running server over HTTP with streamed chats: percentiles, refusals, goodput.")
            { url, clients, rates, overload, seconds, tokens, first, gap, seed, json, plot };
        command.SetAction(async (parsed, cancellation) =>
        {
            if (!Uri.TryCreate(parsed.GetValue(url), UriKind.Absolute, out var server) || parsed.GetValue(seconds) <= 0 || parsed.GetValue(tokens) < 1
                || parsed.GetValue(clients)!.Any(c => c < 1) || (parsed.GetValue(rates) ?? []).Any(r => r <= 0))
                throw new SettingException("The address must be one such as http://127.0.0.1:8080; seconds, clients, rates and tokens must be above 0.");
            var model = await ModelOfAsync(server, cancellation);
            var goal = new ServiceGoal(parsed.GetValue(first) / 1000, parsed.GetValue(gap) / 1000);
            using var client = new BenchClient(server, model, parsed.GetValue(tokens), parsed.GetValue(seed));
            var loads = 1 + parsed.GetValue(clients)!.Length + (parsed.GetValue(rates) ?? []).Length + (parsed.GetValue(overload) ? 1 : 0);
            var report = await ProgressBar.ShowAsync("loads", loads, done => RunAsync(new(client, goal, parsed.GetValue(seed)), parsed.GetValue(clients)!, parsed.GetValue(rates) ?? [],
                parsed.GetValue(overload), parsed.GetValue(seconds), new(server.ToString(), model, goal, []), done, cancellation));
            Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(report, ServeBenchJson.Default.ServeReport) : Table(report));
            if (parsed.GetValue(plot) is { } path) BarPicture.Write(path, BenchPictures.Of(report));
            return report.Loads.Sum(load => load.Failed + load.RefusedWithoutTime) == 0 ? 0 : 1;
        });
        return command;
    }

    static async Task<ServeReport> RunAsync(
        ServeBench bench, int[] clients, double[] rates, bool overload, double seconds, ServeReport report, Action done, CancellationToken cancellation)
    {
        await bench.ClosedAsync(1, Math.Min(2, seconds), cancellation);
        done();
        var loads = new List<Served>();
        foreach (var number in clients.Order())
        {
            loads.Add(await bench.ClosedAsync(number, seconds, cancellation));
            done();
        }
        foreach (var rate in rates.Order())
        {
            loads.Add(await bench.OpenAsync(rate, seconds, cancellation));
            done();
        }
        if (!overload || clients.Length == 0)
            return report with { Loads = loads };
        var capacity = loads[clients.Length - 1].RequestsPerSecond;
        if (capacity == 0)
            throw new SettingException($"No request was answered within {seconds} s, so there is no capacity to double: give more --seconds or fewer --clients.");
        var twice = await bench.OpenAsync(2 * capacity, seconds, cancellation);
        done();
        return report with { Loads = [.. loads, twice], KeptAtOverload = Math.Round(twice.Goodput / capacity, 3) };
    }

    static async Task<string> ModelOfAsync(Uri server, CancellationToken cancellation)
    {
        using var http = new HttpClient { BaseAddress = server };
        try
        {
            using var models = JsonDocument.Parse(await http.GetStringAsync(new Uri("/v1/models", UriKind.Relative), cancellation));
            return models.RootElement.GetProperty("data")[0].GetProperty("id").GetString()!;
        }
        catch (Exception error) when (error is HttpRequestException or JsonException)
        {
            throw new SettingException($"{server} does not say which model it serves: {error.Message}");
        }
    }

    static string Table(ServeReport report)
    {
        var lines = report.Loads.Select(l =>
            $"{l.Load,-18}{l.Answered,8}{l.Refused,8}{l.Failed,7}{l.RequestsPerSecond,9:F2}{l.Goodput,9:F2}{l.TokensPerSecond,10:F1}   {Of(l.FirstToken)}   {Of(l.Gap)}");
        var overload = report.KeptAtOverload is { } kept ? $"\nat twice the capacity {kept:P0} of it was answered within the goal, and every refusal named a time: {(report.Loads[^1].RefusedWithoutTime == 0 ? "yes" : "no")}" : "";
        return $"""
            {report.Model} at {report.Url}; goal: first token within {report.Goal.FirstToken * 1000:F0} ms, mean gap within {report.Goal.Gap * 1000:F0} ms
            load              answered refused failed    req/s     good   tokens/s   first token ms (50/90/99 %)   gap ms (50/90/99 %)
            {string.Join('\n', lines)}{overload}
            """;

        static string Of(Percentiles p) => $"{p.P50,8:F0} {p.P90,8:F0} {p.P99,8:F0} ";
    }
}
