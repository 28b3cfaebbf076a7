using Serving.Server;

namespace Serving.Conformance;

/// <summary>How a server must be started; all but <see cref="Plain"/> can only be had from a server that the suite starts itself.</summary>
public sealed record Setup(string Name)
{
    /// <summary>Defaults.</summary>
    public static readonly Setup Plain = new("plain");

    /// <summary>Unknown fields are refused.</summary>
    public static readonly Setup Strict = new("strict") { Change = o => o with { StrictParameters = true } };

    /// <summary>Answers that would not fit are shortened.</summary>
    public static readonly Setup Clamped = new("clamped") { Change = o => o with { ClampMaxTokens = true, Engine = o.Engine with { MaxLength = 64 } } };

    /// <summary>Requests need the key <see cref="Target.Key"/>.</summary>
    public static readonly Setup Keyed = new("keyed") { Change = o => o with { ApiKeys = [Target.Key] } };

    /// <summary>The key <see cref="Target.Key"/> opens the list of models and nothing else.</summary>
    public static readonly Setup Limited = new("limited")
    {
        Change = o =>
        {
            var keys = Path.Combine(Path.GetTempPath(), $"serving-conformance-{Environment.ProcessId}.keys");
            File.WriteAllText(keys, $"{Target.Key} /v1/models\n");
            return o with { ApiKeyFile = keys };
        },
    };

    /// <summary>Bodies have at most a thousand bytes.</summary>
    public static readonly Setup Small = new("small") { Change = o => o with { MaxRequestBytes = 1000 } };

    /// <summary>Pages of one foreign origin may call.</summary>
    public static readonly Setup Open = new("open") { Change = o => o with { AllowedOrigins = ["https://example.org"], ApiKeys = [Target.Key] } };

    /// <summary>One request runs and one waits.</summary>
    public static readonly Setup Narrow = new("narrow") { Change = o => o with { Engine = o.Engine with { MaxSequences = 1, MaxQueuedRequests = 1 } } };

    /// <summary>The model never comes.</summary>
    public static readonly Setup Loading = new("loading") { NeverLoads = true };

    internal Func<ServerOptions, ServerOptions> Change { get; init; } = options => options;

    internal bool NeverLoads { get; init; }
}
