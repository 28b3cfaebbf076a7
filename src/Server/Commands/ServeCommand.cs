using System.CommandLine;
using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Serving.Server.Http;

namespace Serving.Server.Commands;

/// <summary>serve: loads a model and answers until it is told to stop.</summary>
static class ServeCommand
{
    public static Command Create()
    {
        var model = new Argument<string?>("model") { Description = "Checkpoint folder or file, as --model.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("serve", "Serves a model; what the program does when no command is named.") { model };
        SettingOptions.AddTo(command, Settings.All);
        command.SetAction((parsed, cancellation) =>
        {
            var flags = SettingOptions.Values(parsed);
            if (parsed.GetValue(model) is { } path && !flags.TryAdd(Settings.Model.Name, [path]))
                throw new SettingException($"The model is named twice: '{path}' and --model.");
            return RunAsync(flags, cancellation);
        });
        return command;
    }

    public static async Task<int> RunAsync(IReadOnlyDictionary<string, string[]> flags, CancellationToken cancellation)
    {
        var options = OptionsFrom(new SettingReader(flags, Environment.GetEnvironmentVariable));
        ModelLoading.ChooseKernels(options.Engine.CpuKernels);
        await using var app = ServerApp.Build(options, ModelLoading.Load);
        try
        {
            await app.StartAsync(cancellation);
        }
        catch (IOException error)
        {
            throw new SettingException($"Cannot listen on {options.Host}:{options.Port}: {error.Message}");
        }
        _ = AnnounceAsync(app);
        await app.WaitForShutdownAsync(cancellation);
        return Environment.ExitCode;
    }

    /// <summary>The options as flags, environment, file and defaults give them.</summary>
    public static ServerOptions OptionsFrom(SettingReader read) => new()
    {
        Model = read.Text(Settings.Model) ?? ModelLoading.DefaultModel() ?? throw new SettingException(
            "No model was named and the one that comes with the program was not found: give --model FOLDER."),
        ServedNames = read.List(Settings.ServedModelName),
        Host = HostOf(read.Text(Settings.Host)!),
        Port = read.Integer(Settings.Port, 0, ushort.MaxValue)!.Value,
        Engine = EngineFrom(read),
        ChatTemplate = read.Text(Settings.ChatTemplate),
        UsesGenerationConfig = read.OneOf(Settings.GenerationConfig, "auto", "none") == "auto",
        MaxLogprobs = read.Integer(Settings.MaxLogprobs, 0, Sampling.SamplingOptions.MaxLogprobs)!.Value,
        MaxChoices = read.Integer(Settings.MaxChoices, 1, 128)!.Value,
        Pooling = Enum.Parse<Scheduling.Pooling>(read.OneOf(Settings.Pooling, "last", "mean"), ignoreCase: true),
        ShortensEmbeddings = read.Switch(Settings.ShortenEmbeddings),
        Seed = read.Long(Settings.Seed, long.MinValue, long.MaxValue),
        ApiKeys = read.List(Settings.ApiKey),
        ApiKeyFile = read.Text(Settings.ApiKeyFile),
        SharesPrefixes = read.Switch(Settings.SharePrefixes),
        Tls = TlsFrom(read),
        AllowedOrigins = read.List(Settings.AllowedOrigins),
        GuardsMetrics = read.Switch(Settings.GuardMetrics),
        StrictParameters = read.Switch(Settings.StrictParameters),
        ClampMaxTokens = read.Switch(Settings.ClampMaxTokens),
        ParseSpecialInContent = read.Switch(Settings.ParseSpecialInContent),
        MaxRequestBytes = read.Bytes(Settings.MaxRequestBytes)!.Value,
        RequestTime = read.Integer(Settings.RequestTimeoutSeconds, 1, 86_400) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        UnreadTime = TimeSpan.FromSeconds(read.Integer(Settings.UnreadSeconds, 1, 3600)!.Value),
        DrainTime = TimeSpan.FromSeconds(read.Integer(Settings.DrainSeconds, 0, 3600)!.Value),
        StallTime = TimeSpan.FromSeconds(read.Integer(Settings.StallSeconds, 1, 86_400)!.Value),
        OtlpEndpoint = read.Text(Settings.OtlpEndpoint) is not { } otlp ? null
            : Uri.TryCreate(otlp, UriKind.Absolute, out var collector) && collector.Scheme is "http" or "https" ? otlp
            : throw new SettingException($"--otlp-endpoint is '{otlp}'; it must be an address such as http://127.0.0.1:4318."),
        LogLevel = LevelOf(read.OneOf(Settings.LogLevel, "trace", "debug", "info", "warning", "error", "critical")),
    };

    /// <summary>What is handed on to the engine.</summary>
    public static EngineSettings EngineFrom(SettingReader read) => EngineFrom(read, SpeculativeConfig.From(read));

    static EngineSettings EngineFrom(SettingReader read, SpeculativeConfig speculation) => new()
    {
        Device = read.Named(Settings.Device, DeviceChoice.Named, DeviceChoice.Expected),
        CpuKernels = read.OneOf(Settings.CpuKernels, "auto", "avx512", "avx2", "portable"),
        Dtype = read.OneOf(Settings.Dtype, "auto", "float32", "bfloat16"),
        ActivationDtype = read.OneOf(Settings.ActivationDtype, "auto", "float32", "int16", "bfloat16", "int8"),
        CacheDtype = read.OneOf(Settings.KvCacheDtype, "auto", "float32", "bfloat16", "fp8", "fp8_e4m3", "int8", "int4"),
        Execution = read.OneOf(Settings.Execution, "auto", "absorbed", "expanded"),
        CacheBytes = read.Bytes(Settings.KvCacheMemoryBytes),
        BlockSize = read.Integer(Settings.BlockSize, 1, 1 << 16),
        SnapshotTokens = read.Integer(Settings.SnapshotTokens, 1, 1 << 30),
        SnapshotBytes = read.Bytes(Settings.SnapshotMemoryBytes),
        SwapBytes = read.Bytes(Settings.SwapMemoryBytes) is > 0 and var swap ? swap : null,
        MaxSequences = read.Integer(Settings.MaxNumSeqs, 1, 1 << 16),
        TokensPerStep = read.Integer(Settings.MaxNumBatchedTokens, 1, 1 << 20),
        PromptStep = TimeSpan.FromMilliseconds(read.Integer(Settings.PromptStepMs, 1, 3_600_000)!.Value),
        MaxLength = read.Integer(Settings.MaxModelLen, 1),
        MaxQueuedRequests = read.Integer(Settings.MaxQueuedRequests, 1),
        MaxQueuedTokens = read.Long(Settings.MaxQueuedTokens, 1, long.MaxValue),
        MaxQueueTime = read.Integer(Settings.MaxQueueSeconds, 1, 86_400) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        PrefixCaching = read.Switch(Settings.EnablePrefixCaching),
        Drafting = speculation.Drafting,
        DraftModel = speculation.Model,
        IsEager = read.Switch(Settings.EnforceEager),
        PinsThreads = read.Switch(Settings.PinThreads),
        Threads = read.Integer(Settings.Threads, 1, 1024),
    };

    static TlsOptions? TlsFrom(SettingReader read)
    {
        var (key, authorities) = (read.Text(Settings.SslKeyfile), read.Text(Settings.SslCaCerts));
        var mode = (ClientCertificateMode)read.Integer(Settings.SslCertReqs, 0, 2)!.Value;
        if (read.Text(Settings.SslCertfile) is { } certificate)
            return new(certificate, key, authorities, mode);
        return key is null && authorities is null
            ? null
            : throw new SettingException($"--{(key is null ? Settings.SslCaCerts : Settings.SslKeyfile).Name} needs --ssl-certfile beside it.");
    }

    static async Task AnnounceAsync(WebApplication app)
    {
        var host = app.Services.GetRequiredService<EngineHost>();
        if (await Task.WhenAny(host.Loaded) is { IsCompletedSuccessfully: false })
            return;
        var (url, name) = (app.Urls.First().Replace("[::]", "localhost").Replace("0.0.0.0", "localhost"), host.Loaded.Result.Ids[0]);
        Console.WriteLine($$"""
            Serving {{name}} at {{url}}. Try it:
              curl {{url}}/v1/chat/completions -H 'Content-Type: application/json' -d '{"model": "{{name}}", "messages": [{"role": "user", "content": "Hello!"}]}'
            """);
    }

    static string HostOf(string host) => host is "localhost" or "*" or "+" || IPAddress.TryParse(host, out _)
        ? host
        : throw new SettingException($"--host is '{host}'; it must be an IP address, localhost or * for all addresses.");

    static LogLevel LevelOf(string name) => name == "info" ? LogLevel.Information : Enum.Parse<LogLevel>(name, ignoreCase: true);
}
