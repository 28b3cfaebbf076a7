using System.CommandLine;

namespace Serving.Server.Commands;

/// <summary>health: asks a server whether it is ready and says so by the exit code, for containers without curl.</summary>
static class HealthCommand
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var url = new Argument<string>("url") { Description = "The server's address.", DefaultValueFactory = _ => DefaultUrl() };
        var command = new Command("health", "Exits with 0 when a server is ready to answer, with 1 when it is not.") { url };
        command.SetAction((parsed, cancellation) => AskAsync(parsed.GetValue(url)!, cancellation));
        return command;
    }

    static async Task<int> AskAsync(string url, CancellationToken cancellation)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var server) || server.Scheme is not ("http" or "https"))
            throw new SettingException($"'{url}' is not an address; give one such as http://127.0.0.1:8080.");
        using var client = new HttpClient { Timeout = Patience };
        try
        {
            using var reply = await client.GetAsync(new Uri(server, "/health/ready"), cancellation);
            Console.WriteLine(await reply.Content.ReadAsStringAsync(cancellation));
            return reply.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
        {
            await Console.Error.WriteLineAsync($"serving: {server} does not answer: {error.Message}");
            return 1;
        }
    }

    static string DefaultUrl() =>
        $"http://127.0.0.1:{new SettingReader(new Dictionary<string, string[]>(), Environment.GetEnvironmentVariable).Integer(Settings.Port, 1, ushort.MaxValue)}";
}
