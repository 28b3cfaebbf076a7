using System.Collections.Immutable;
using Serving.Server.Http;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;

namespace Serving.Server;

/// <summary>Everything that can be set from outside, checked; <c>Commands/Options/Settings.cs</c> has the names and the defaults.</summary>
sealed record ServerOptions
{
    /// <summary>Folder or file of the checkpoint.</summary>
    public required string Model { get; init; }

    /// <summary>Names that requests may use for the model; the first is the one listed first.</summary>
    public ImmutableArray<string> ServedNames { get; init; } = [];

    public string Host { get; init; } = "127.0.0.1";

    public int Port { get; init; } = 8080;

    public EngineSettings Engine { get; init; } = new();

    /// <summary>File of a chat template that replaces the checkpoint's own.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Whether sampling defaults come from the checkpoint's generation configuration.</summary>
    public bool UsesGenerationConfig { get; init; } = true;

    /// <summary>Most alternatives a request may ask for.</summary>
    public int MaxLogprobs { get; init; } = 20;

    /// <summary>Most choices a request may ask for.</summary>
    public int MaxChoices { get; init; } = 128;

    /// <summary>Seeds the seeds of requests that bring none; null draws them at random.</summary>
    public long? Seed { get; init; }

    public ImmutableArray<string> ApiKeys { get; init; } = [];

    /// <summary>File of further keys, which may change while the server runs.</summary>
    public string? ApiKeyFile { get; init; }

    /// <summary>Whether prefixes that one key's requests computed may serve another's.</summary>
    public bool SharesPrefixes { get; init; }

    /// <summary>TLS on the port; in the clear when null.</summary>
    public TlsOptions? Tls { get; init; }

    /// <summary>Origins whose pages may call from a browser; * for all. None by default.</summary>
    public ImmutableArray<string> AllowedOrigins { get; init; } = [];

    public bool GuardsMetrics { get; init; }

    /// <summary>Which hidden state is an input's embedding.</summary>
    public Pooling Pooling { get; init; } = Pooling.Last;

    /// <summary>Whether the model was trained so that the first values of its embeddings may stand for all.</summary>
    public bool ShortensEmbeddings { get; init; }

    /// <summary>Refuse unknown request fields instead of listing them in a header.</summary>
    public bool StrictParameters { get; init; }

    /// <summary>Shorten an answer that would not fit the context instead of refusing it.</summary>
    public bool ClampMaxTokens { get; init; }

    /// <summary>Let spellings of special tokens in message contents act as special tokens.</summary>
    public bool ParseSpecialInContent { get; init; }

    public long MaxRequestBytes { get; init; } = 32 << 20;

    /// <summary>Longest that any request may take; null for no limit but the client's own.</summary>
    public TimeSpan? RequestTime { get; init; }

    /// <summary>How long a client may leave a full stream unread before it is cut off.</summary>
    public TimeSpan UnreadTime { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a step may take, while work waits, before the server calls itself stalled.</summary>
    public TimeSpan StallTime { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>Address of a collector that takes OTLP; where null, OpenTelemetry's environment variables may name one.</summary>
    public string? OtlpEndpoint { get; init; }

    public LogLevel LogLevel { get; init; } = LogLevel.Information;
}

/// <summary>What is handed on to the engine as it was asked for; null leaves a choice to the engine.</summary>
sealed record EngineSettings
{
    public string Device { get; init; } = "auto";

    /// <summary>auto, avx512, avx2 or portable.</summary>
    public string CpuKernels { get; init; } = "auto";

    public string Dtype { get; init; } = "auto";

    public string CacheDtype { get; init; } = "auto";

    /// <summary>Whether a GPU's work is never launched as graphs.</summary>
    public bool IsEager { get; init; }

    /// <summary>Whether each thread of the CPU device keeps to a processor of its own.</summary>
    public bool PinsThreads { get; init; }

    /// <summary>auto, float32, int16, bfloat16 or int8.</summary>
    public string ActivationDtype { get; init; } = "auto";

    /// <summary>auto, absorbed or expanded.</summary>
    public string Execution { get; init; } = "auto";

    public long? CacheBytes { get; init; }

    public int? BlockSize { get; init; }

    public int? SnapshotTokens { get; init; }

    public long? SnapshotBytes { get; init; }

    /// <summary>Host memory for the rows of preempted sequences; null for none.</summary>
    public long? SwapBytes { get; init; }

    public int? MaxSequences { get; init; }

    public int? TokensPerStep { get; init; }

    /// <summary>Time that a step with prompts should take beside answers.</summary>
    public TimeSpan PromptStep { get; init; } = new EngineOptions().PromptStep;

    public int? MaxLength { get; init; }

    public int? MaxQueuedRequests { get; init; }

    public long? MaxQueuedTokens { get; init; }

    public TimeSpan? MaxQueueTime { get; init; }

    public bool PrefixCaching { get; init; } = true;

    /// <summary>How answers are guessed ahead where requests do not say.</summary>
    public DraftOptions? Drafting { get; init; }

    /// <summary>Folder or file of the model that guesses; null for prompt look-up.</summary>
    public string? DraftModel { get; init; }

    public int? Threads { get; init; }
}
