using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.RegularExpressions;
using Serving.Server.Metrics;

namespace Serving.Tests;

public sealed partial class MetricsTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_exposition_parses_and_has_the_names_that_dashboards_know()
    {
        await fixture.Server.JsonAsync("/v1/completions", """{"model": "tiny", "prompt": "x", "max_tokens": 5, "zeta": 1}""");
        using var reply = await fixture.Server.GetAsync("/metrics");
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", reply.Content.Headers.ContentType!.ToString());
        var samples = Parse(await reply.Content.ReadAsStringAsync(Stop), openMetrics: false);
        Assert.True(samples["gen_ai_server_time_to_first_token_seconds_count"] >= 1);
        Assert.True(samples["gen_ai_server_time_per_output_token_seconds_count"] >= 1);
        Assert.True(samples["serving_tokens_generated_total"] >= 5);
        Assert.Equal(1, samples["serving_http_ignored_parameters_total"]);
        Assert.Equal(0, samples["serving_sequences_waiting"]);
        Assert.Equal(0, samples["vllm:num_requests_waiting{model_name=\"org/tiny\"}"]);
        Assert.True(samples["vllm:request_success_total{model_name=\"org/tiny\",finished_reason=\"length\"}"] >= 1);
        Assert.True(samples["vllm:prompt_tokens_total{model_name=\"org/tiny\"}"] >= 1);
        Assert.Equal(samples["serving_cache_token_size_bytes"], samples["serving_cache_memory_bytes{state=\"free\"}"] / samples["serving_cache_tokens{state=\"free\"}"]);
        Assert.True(samples["serving_prefix_misses_total{reason=\"short\"}"] >= 1);
        Assert.Contains(samples.Keys, name => name.StartsWith("dotnet_process_memory_working_set", StringComparison.Ordinal));
        Assert.InRange(samples["serving_cache_usage_ratio"], 0, 1);
        Assert.Contains("serving_cache_pages{state=\"free\"}", samples.Keys);
        Assert.Contains(samples.Keys, name => name.StartsWith("http_server_request_duration_seconds_bucket{", StringComparison.Ordinal));
        Assert.Contains(samples.Keys, name => name.StartsWith("serving_info{model=", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Errors_are_counted_by_status_and_code()
    {
        using var refused = await fixture.Server.PostAsync("/v1/completions", """{"model": "nobody"}""");
        using var reply = await fixture.Server.GetAsync("/metrics");
        var samples = Parse(await reply.Content.ReadAsStringAsync(Stop), openMetrics: false);
        Assert.True(samples["serving_http_errors_total{status=\"404\",code=\"model_not_found\"}"] >= 1);
    }

    [Fact]
    public async Task A_scraper_may_ask_for_open_metrics()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics");
        request.Headers.TryAddWithoutValidation("Accept", "application/openmetrics-text; version=1.0.0,text/plain;q=0.5");
        using var reply = await fixture.Server.SendAsync(request);
        Assert.Equal("application/openmetrics-text; version=1.0.0; charset=utf-8", reply.Content.Headers.ContentType!.ToString());
        var text = await reply.Content.ReadAsStringAsync(Stop);
        Assert.EndsWith("# EOF\n", text);
        Assert.Contains("# TYPE serving_tokens_generated counter\n", text);
        Parse(text[..^"# EOF\n".Length], openMetrics: true);
    }

    [Fact]
    public void Kinds_units_and_labels_are_written_as_the_format_wants_them()
    {
        using var meter = new Meter("test.kinds");
        using var store = new MetricStore(m => m == meter);
        var counter = meter.CreateCounter<long>("a.b", "By", "Says \"this\"\nand \\ that.");
        counter.Add(3, new KeyValuePair<string, object?>("k.x", "v\"\\\n"));
        counter.Add(4, new KeyValuePair<string, object?>("k.x", "v\"\\\n"));
        meter.CreateUpDownCounter<int>("up").Add(-2);
        var histogram = meter.CreateHistogram("h", "s", null, null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 2.5] });
        foreach (var value in (double[])[0.5, 1, 2, 9])
            histogram.Record(value);
        Assert.Equal("""
            # HELP a_b_bytes_total Says "this"\nand \\ that.
            # TYPE a_b_bytes_total counter
            a_b_bytes_total{k_x="v\"\\\n"} 7
            # TYPE h_seconds histogram
            h_seconds_bucket{le="1"} 2
            h_seconds_bucket{le="2.5"} 3
            h_seconds_bucket{le="+Inf"} 4
            h_seconds_sum 12.5
            h_seconds_count 4
            # TYPE up gauge
            up -2

            """, PrometheusText.Print(store.Collect(), openMetrics: false));
    }

    [Fact]
    public void However_many_labels_there_are_the_exposition_is_bounded()
    {
        using var meter = new Meter("test.labels");
        using var store = new MetricStore(m => m == meter);
        var counter = meter.CreateCounter<long>("c");
        for (var i = 0; i < 1000; i++)
            counter.Add(1, new KeyValuePair<string, object?>("id", i));
        var samples = Parse(PrometheusText.Print(store.Collect(), openMetrics: false), openMetrics: false);
        Assert.Equal(65, samples.Count);
        Assert.Equal(936, samples["c_total{overflow=\"true\"}"]);
    }

    /// <summary>Checks every line and returns the samples: names are declared before use, buckets grow, nothing comes twice.</summary>
    static Dictionary<string, double> Parse(string text, bool openMetrics)
    {
        Assert.EndsWith("\n", text);
        var samples = new Dictionary<string, double>();
        var (family, kind, bucket) = ("", "", (Series: "", Value: 0.0));
        foreach (var line in text[..^1].Split('\n'))
        {
            if (line.StartsWith("# HELP ", StringComparison.Ordinal))
                continue;
            if (TypeLine().Match(line) is { Success: true } type)
            {
                Assert.NotEqual(family, type.Groups[1].Value);
                (family, kind) = (type.Groups[1].Value, type.Groups[2].Value);
                continue;
            }
            var sample = SampleLine().Match(line);
            Assert.True(sample.Success, $"Not a sample: {line}");
            var (name, labels) = (sample.Groups[1].Value, sample.Groups[2].Value);
            var suffix = kind == "histogram" ? "(_bucket|_sum|_count)" : openMetrics && kind == "counter" ? "_total" : "";
            Assert.Matches($"^{Regex.Escape(family)}{suffix}$", name);
            var value = double.Parse(sample.Groups[3].Value, CultureInfo.InvariantCulture);
            Assert.True(samples.TryAdd(name + labels, value), $"Twice: {line}");
            if (!name.EndsWith("_bucket", StringComparison.Ordinal))
                continue;
            var series = Bound().Replace(name + labels, "");
            Assert.True(series != bucket.Series || value >= bucket.Value, $"A bucket shrinks: {line}");
            bucket = (series, value);
        }
        return samples;
    }

    [GeneratedRegex("^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$")]
    private static partial Regex TypeLine();

    [GeneratedRegex("""^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*")*\})? (\S+)$""")]
    private static partial Regex SampleLine();

    [GeneratedRegex("le=\"[^\"]*\"")]
    private static partial Regex Bound();
}
