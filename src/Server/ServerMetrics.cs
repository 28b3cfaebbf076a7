using System.Diagnostics.Metrics;

namespace Serving.Server;

/// <summary>What the server itself counts; the engine and the web framework have instruments of their own.</summary>
sealed class ServerMetrics
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Serving.Server";

    readonly Counter<long> _ignored, _refused;

    public ServerMetrics(IMeterFactory meters, ServerOptions options)
    {
        var meter = meters.Create(MeterName);
        _ignored = meter.CreateCounter<long>("serving.http.ignored_parameters", "{parameter}", "Request fields that no one knew and nothing was done about.");
        _refused = meter.CreateCounter<long>("serving.http.errors", "{request}", "Requests that were not answered, by status and code.");
        var model = new KeyValuePair<string, object?>("model", options.ServedNames.FirstOrDefault() ?? options.Model);
        var version = new KeyValuePair<string, object?>("version", ServerVersion.Text);
        meter.CreateObservableGauge("serving.info", () => new Measurement<int>(1, model, version), null, "Always 1; the labels say what runs.");
    }

    /// <summary>A request ended with an error; codes are the contract's own, so there are a few dozen at most.</summary>
    public void Refused(Http.ApiError error) => _refused.Add(1, new KeyValuePair<string, object?>("status", error.Status), new("code", error.Code ?? "none"));

    public void Ignored(int parameters) => _ignored.Add(parameters);
}
