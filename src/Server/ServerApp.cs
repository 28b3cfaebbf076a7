using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Serving.Diagnostics;
using Serving.Server.Grpc;
using Serving.Server.Grpc.Framing;
using Serving.Server.Http;
using Serving.Server.Metrics;
using Serving.Server.OpenAi;
using Serving.Server.OpenApi;
using Serving.Server.Playground;
using Serving.Server.Telemetry;

namespace Serving.Server;

/// <summary>Builds the host: one listener, one pipeline, the routes.</summary>
static class ServerApp
{
    static readonly string[] Meters = ["Serving.Engine", ServerMetrics.MeterName, "Microsoft.AspNetCore.Hosting", "System.Runtime"];

    /// <summary>A router may bring all its clients on one connection.</summary>
    const int StreamsPerConnection = 1000;

    /// <summary>After how long a silence a client is asked whether it is there, and how long it has to say so.</summary>
    static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(60), PingPatience = TimeSpan.FromSeconds(20);

    /// <summary>A server that loads its model with <paramref name="load"/> once it listens.</summary>
    public static WebApplication Build(ServerOptions options, Func<ServerOptions, EngineDiagnostics, ServedModel> load, TimeProvider? time = null)
    {
        var clock = time ?? TimeProvider.System;
        var builder = WebApplication.CreateEmptyBuilder(new() { ApplicationName = "serving" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaxRequestBytes;
            (kestrel.Limits.Http2.KeepAlivePingDelay, kestrel.Limits.Http2.KeepAlivePingTimeout) = (PingDelay, PingPatience);
            kestrel.Limits.Http2.MaxStreamsPerConnection = StreamsPerConnection;
            Listen(kestrel, options, clock);
        });
        builder.Logging.SetMinimumLevel(options.LogLevel).AddFilter("Microsoft", LogLevel.Warning)
            .AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Critical)
            .AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat, console.UseUtcTimestamp) = (true, "HH:mm:ss ", true));
        AddServices(builder.Services, options, load, clock);
        var app = builder.Build();
        app.Services.GetRequiredService<OtlpExport>();
        // Keys that cannot be read end the start, and not the first request.
        app.Services.GetRequiredService<ApiKeys>();
        if (!options.AllowedOrigins.IsEmpty)
            app.UseCors(policy => policy.WithOrigins([.. options.AllowedOrigins]).AllowAnyHeader().AllowAnyMethod()
                .WithExposedHeaders("x-request-id", "x-ignored-parameters", "openai-processing-ms", "Retry-After", "retry-after-ms"));
        app.Use(next => ActivatorUtilities.CreateInstance<RequestPipeline>(app.Services, next).InvokeAsync);
        Map(app);
        return app;
    }

    /// <summary>What requests of either protocol need, whoever answers them.</summary>
    public static void AddFraming(IServiceCollection services, ServerOptions options, TimeProvider time)
    {
        services.AddRoutingCore();
        services.AddSingleton(options);
        services.AddSingleton(time);
        services.AddSingleton<ApiKeys>();
        services.AddSingleton<Authentication>();
        services.AddMetrics();
        services.AddSingleton<ServerMetrics>();
        services.AddSingleton<RequestErrors>();
        services.AddSingleton<GrpcEndpoints>();
        services.AddSingleton<IConnectionListenerFactory, SilentTransport>();
    }

    static void AddServices(IServiceCollection services, ServerOptions options, Func<ServerOptions, EngineDiagnostics, ServedModel> load, TimeProvider time)
    {
        AddFraming(services, options, time);
        services.AddCors();
        services.Configure<HostOptions>(host => host.ShutdownTimeout = options.DrainTime + TimeSpan.FromSeconds(5));
        services.AddSingleton<Func<ServedModel>>(provider => () => load(options, new()
        {
            Logger = provider.GetRequiredService<ILoggerFactory>().CreateLogger("Serving.Engine"),
            Meters = provider.GetRequiredService<IMeterFactory>(),
        }));
        services.AddSingleton(new StallWatch(options.StallTime, time));
        services.AddSingleton<EngineHost>();
        services.AddHostedService(provider => provider.GetRequiredService<EngineHost>());
        services.AddSingleton<ReplyServices>();
        services.AddSingleton(_ => new OtlpExport(options, Meters));
        services.AddSingleton<OpenAiEndpoints>();
        services.AddSingleton(provider =>
        {
            var factory = provider.GetRequiredService<IMeterFactory>();
            return new MetricStore(meter => Meters.Contains(meter.Name) && (meter.Scope is null || ReferenceEquals(meter.Scope, factory)));
        });
    }

    static void Map(WebApplication app)
    {
        HealthEndpoints.Map(app, app.Services.GetRequiredService<EngineHost>());
        OpenApiDocument.Map(app);
        PlaygroundEndpoint.Map(app);
        MetricsEndpoint.Map(app, app.Services.GetRequiredService<MetricStore>(), app.Services.GetRequiredService<EngineHost>());
        app.Services.GetRequiredService<OpenAiEndpoints>().Map(app);
        GrpcServices.Map(app);
    }

    static void Listen(KestrelServerOptions kestrel, ServerOptions options, TimeProvider time)
    {
        var address = new IPEndPoint(AddressOf(options.Host), options.Port);
        if (options.Tls is not { } tls)
            new SharedPort(time).Listen(kestrel, address);
        else
        {
            var port = new TlsPort(tls, time, kestrel.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger<TlsPort>());
            kestrel.Listen(address, listen => listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => new(port.Options()) }));
        }
    }

    static IPAddress AddressOf(string host) => host switch
    {
        "localhost" => IPAddress.Loopback,
        "*" or "+" => IPAddress.IPv6Any,
        _ => IPAddress.Parse(host),
    };
}
