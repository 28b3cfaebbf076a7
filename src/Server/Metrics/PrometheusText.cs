using System.Globalization;
using System.Text;

namespace Serving.Server.Metrics;

/// <summary>Prints families as Prometheus text 0.0.4 or OpenMetrics 1.0.0; names follow OpenTelemetry's rules for Prometheus.</summary>
/// <param name="openMetrics">Which of the two.</param>
/// <param name="model">Label <c>model_name</c> of the names that routers read.</param>
sealed class PrometheusText(bool openMetrics, string model)
{
    const string Count = "_count";

    readonly StringBuilder _text = new();

    public static string Print(IEnumerable<MetricFamily> families, bool openMetrics, string model = "")
    {
        var printer = new PrometheusText(openMetrics, model);
        foreach (var family in families)
        {
            var name = NameOf(family);
            printer.Family(name, family, isAlias: false);
            if (VllmNames.TryGetValue(name, out var alias))
                printer.Family(alias, family, isAlias: true);
        }
        return printer._text.Append(openMetrics ? "# EOF\n" : "").ToString();
    }

    /// <summary>Names that routers in use read, beside our own.</summary>
    static readonly Dictionary<string, string> VllmNames = new()
    {
        ["serving_sequences_running"] = "vllm:num_requests_running",
        ["serving_sequences_waiting"] = "vllm:num_requests_waiting",
        ["serving_cache_usage_ratio"] = "vllm:kv_cache_usage_perc",
        ["serving_prefix_lookup_tokens"] = "vllm:prefix_cache_queries",
        ["serving_prefix_hit_tokens"] = "vllm:prefix_cache_hits",
        ["serving_tokens_generated"] = "vllm:generation_tokens",
        ["serving_tokens_prompt"] = "vllm:prompt_tokens",
        ["serving_finished"] = "vllm:request_success",
        ["serving_inter_token_duration_seconds"] = "vllm:inter_token_latency_seconds",
        ["serving_queue_duration_seconds"] = "vllm:request_queue_time_seconds",
        ["serving_step_tokens"] = "vllm:iteration_tokens_total",
        ["serving_preemptions"] = "vllm:num_preemptions",
        ["serving_drafts"] = "vllm:spec_decode_num_drafts",
        ["serving_drafts_tokens"] = "vllm:spec_decode_num_draft_tokens",
        ["serving_drafts_accepted"] = "vllm:spec_decode_num_accepted_tokens",
        ["serving_drafts_accepted_by_place"] = "vllm:spec_decode_num_accepted_tokens_per_pos",
        ["gen_ai_server_time_to_first_token_seconds"] = "vllm:time_to_first_token_seconds",
        ["gen_ai_server_time_per_output_token_seconds"] = "vllm:time_per_output_token_seconds",
        ["gen_ai_server_request_duration_seconds"] = "vllm:e2e_request_latency_seconds",
    };

    static string NameOf(MetricFamily family)
    {
        var name = new StringBuilder(family.Instrument.Name.Length + 8);
        foreach (var c in family.Instrument.Name)
            name.Append(char.IsAsciiLetterOrDigit(c) || c == '_' ? c : '_');
        // The format keeps this ending for histograms.
        if (name.ToString().EndsWith(Count, StringComparison.Ordinal))
            name.Length -= Count.Length;
        var unit = (family.Instrument.Unit, family.Kind) switch
        {
            ("s", _) => "_seconds",
            ("ms", _) => "_milliseconds",
            ("By", _) => "_bytes",
            ("1", MetricKind.Gauge) => "_ratio",
            _ => "",
        };
        return name.Append(unit).ToString();
    }

    void Family(string name, MetricFamily family, bool isAlias)
    {
        var sample = family.Kind == MetricKind.Counter ? name + "_total" : name;
        var described = openMetrics ? name : sample;
        if (family.Instrument.Description is { Length: > 0 } help)
            _text.Append("# HELP ").Append(described).Append(' ').Append(Escaped(help, quoted: openMetrics)).Append('\n');
        _text.Append("# TYPE ").Append(described).Append(' ').Append(KindName(family.Kind)).Append('\n');
        family.Visit(series =>
        {
            if (family.Kind == MetricKind.Histogram)
                Histogram(name, family.Bounds, series, isAlias);
            else
                Sample(sample, series, null, series.Value, isAlias);
        });
    }

    void Histogram(string name, double[] bounds, MetricSeries series, bool isAlias)
    {
        var total = 0L;
        for (var i = 0; i < bounds.Length; i++)
            Sample(name + "_bucket", series, Number(bounds[i]), total += series.Counts[i], isAlias);
        Sample(name + "_bucket", series, "+Inf", total += series.Counts[^1], isAlias);
        Sample(name + "_sum", series, null, series.Value, isAlias);
        Sample(name + "_count", series, null, total, isAlias);
    }

    void Sample(string name, MetricSeries series, string? bound, double value, bool isAlias)
    {
        _text.Append(name);
        var before = '{';
        if (isAlias && model.Length > 0)
        {
            Label(before, "model_name", model);
            before = ',';
        }
        foreach (var (key, tag) in series.Tags)
        {
            Label(before, isAlias && key == "reason" ? "finished_reason" : key.Replace('.', '_'), Convert.ToString(tag, CultureInfo.InvariantCulture) ?? "");
            before = ',';
        }
        if (bound is not null)
        {
            Label(before, "le", bound);
            before = ',';
        }
        _text.Append(before == ',' ? "} " : " ").Append(Number(value)).Append('\n');
    }

    void Label(char before, string key, string value) =>
        _text.Append(before).Append(key).Append("=\"").Append(Escaped(value, quoted: true)).Append('"');

    static string Escaped(string text, bool quoted)
    {
        text = text.Replace("\\", "\\\\").Replace("\n", "\\n");
        return quoted ? text.Replace("\"", "\\\"") : text;
    }

    static string KindName(MetricKind kind) => kind switch
    {
        MetricKind.Counter => "counter",
        MetricKind.Histogram => "histogram",
        _ => "gauge",
    };

    static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        double.NaN => "NaN",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };
}
