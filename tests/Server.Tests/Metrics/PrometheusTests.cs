using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace Serving.Tests;

/// <summary>Prometheus itself reads the exposition: promtool checks it, and a server scrapes it.</summary>
public sealed class PrometheusTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Promtool_finds_nothing_to_say()
    {
        await fixture.Server.JsonAsync("/v1/completions", """{"model": "tiny", "prompt": "x", "max_tokens": 5}""");
        using var reply = await fixture.Server.GetAsync("/metrics");
        var text = await reply.Content.ReadAsStringAsync(Stop);
        var (whole, said) = await CheckAsync(text);
        Assert.True(whole != 1, $"It cannot be read: {said}");
        // Names of vLLM's hold colons, which promtool would rather see in rules alone.
        var (own, complaints) = await CheckAsync(string.Concat(text.Split('\n').Where(line => !line.Contains("vllm:", StringComparison.Ordinal)).Select(line => line + "\n"))[..^1]);
        Assert.True(own == 0, complaints);
    }

    [Fact]
    public async Task Prometheus_scrapes_the_server()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("SERVING_TEST_ALL") == "true", "Part of tests/run --all.");
        using var folder = new TemporaryPlace();
        await File.WriteAllTextAsync(folder.File("prometheus.yml"), $$"""
            global: { scrape_interval: 1s }
            scrape_configs: [{ job_name: serving, static_configs: [{ targets: ["{{fixture.Server.Client.BaseAddress!.Authority}}"] }] }]
            """, Stop);
        var port = FreePort();
        using var prometheus = Start("prometheus", $"--config.file={folder.File("prometheus.yml")}", $"--storage.tsdb.path={folder.File("data")}",
            $"--web.listen-address=127.0.0.1:{port}", "--log.level=error");
        try
        {
            await fixture.Server.JsonAsync("/v1/completions", """{"model": "tiny", "prompt": "x", "max_tokens": 5}""");
            using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
            foreach (var query in (string[])["up", "serving_cache_pages", "vllm:num_requests_running", "serving_step_tokens_bucket"])
                await UntilKnownAsync(client, query);
        }
        finally
        {
            prometheus.Kill(entireProcessTree: true);
            await prometheus.WaitForExitAsync(Stop);
        }
    }

    static async Task UntilKnownAsync(HttpClient client, string query)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            try
            {
                var reply = JsonDocument.Parse(await client.GetStringAsync(new Uri($"/api/v1/query?query={query}", UriKind.Relative), patience.Token)).RootElement;
                var found = reply.GetProperty("data").GetProperty("result");
                if (found.GetArrayLength() > 0 && (query != "up" || found[0].GetProperty("value")[1].GetString() == "1")) return;
            }
            catch (HttpRequestException)
            {
                // It is still starting.
            }
            await Task.Delay(200, patience.Token);
        }
    }

    static async Task<(int Status, string Said)> CheckAsync(string text)
    {
        using var promtool = Start("promtool", "check", "metrics");
        await promtool.StandardInput.WriteAsync(text);
        promtool.StandardInput.Close();
        var said = await promtool.StandardOutput.ReadToEndAsync(Stop) + await promtool.StandardError.ReadToEndAsync(Stop);
        await promtool.WaitForExitAsync(Stop);
        return (promtool.ExitCode, said);
    }

    static Process Start(string program, params string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        }
        catch (Win32Exception)
        {
            Assert.Skip($"{program} is not installed (Debian package prometheus; tests/run --all --install).");
            throw;
        }
    }

    static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }

    sealed class TemporaryPlace : IDisposable
    {
        readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("serving-prometheus");

        public string File(string name) => Path.Combine(_folder.FullName, name);

        public void Dispose() => _folder.Delete(recursive: true);
    }
}
