using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Serving.Server.Telemetry;

/// <summary>
/// Pushes metrics and spans to a collector by OTLP, where an option or OpenTelemetry's own environment names one. Queues are bounded and full
/// ones drop; threads of their own send, so that no request and no step waits for a collector.
/// </summary>
sealed class OtlpExport : IDisposable
{
    const string Prefix = "OTEL_EXPORTER_OTLP_";

    /// <summary>How long the last push may take when the server ends.</summary>
    const int FlushMilliseconds = 5000;

    readonly MeterProvider? _metrics;
    readonly TracerProvider? _traces;

    /// <summary>Starts to push what the meters say and what requests leave.</summary>
    /// <param name="options">Names the collector.</param>
    /// <param name="meters">The meters' names.</param>
    public OtlpExport(ServerOptions options, string[] meters)
    {
        var settings = Configured(options.OtlpEndpoint);
        if (Pushes(settings, "METRICS"))
            _metrics = Sdk.CreateMeterProviderBuilder().ConfigureServices(services => services.AddSingleton(settings))
                .ConfigureResource(Describe).AddMeter(meters).AddOtlpExporter().Build();
        if (Pushes(settings, "TRACES"))
            _traces = Sdk.CreateTracerProviderBuilder().ConfigureServices(services => services.AddSingleton(settings))
                .ConfigureResource(Describe).AddSource(RequestSpan.SourceName).AddOtlpExporter().Build();
    }

    public void Dispose()
    {
        _traces?.Shutdown(FlushMilliseconds);
        _traces?.Dispose();
        _metrics?.Shutdown(FlushMilliseconds);
        _metrics?.Dispose();
    }

    /// <summary>The environment, with the option's collector, and protobuf over HTTP unless the environment says otherwise.</summary>
    static IConfiguration Configured(string? endpoint)
    {
        var environment = new ConfigurationBuilder().AddEnvironmentVariables().Build();
        var own = new Dictionary<string, string?> { [Prefix + "PROTOCOL"] = environment[Prefix + "PROTOCOL"] ?? "http/protobuf" };
        if (endpoint is not null)
            own[Prefix + "ENDPOINT"] = endpoint;
        return new ConfigurationBuilder().AddConfiguration(environment).AddInMemoryCollection(own).Build();
    }

    static bool Pushes(IConfiguration settings, string signal) =>
        (settings[Prefix + "ENDPOINT"] ?? settings[$"{Prefix}{signal}_ENDPOINT"]) is { Length: > 0 }
        && settings[$"OTEL_{signal}_EXPORTER"] is not "none" && settings["OTEL_SDK_DISABLED"] is not "true";

    static void Describe(ResourceBuilder resource) =>
        resource.Clear().AddService("serving", serviceVersion: ServerVersion.Text).AddTelemetrySdk().AddEnvironmentVariableDetector();
}
