namespace Serving.Server.Commands;

/// <summary>Every setting of the server, named as vLLM names it where vLLM has it.</summary>
static class Settings
{
    public static readonly Setting Config = new("config", null, "JSON file of settings: {\"port\": 9000, \"max-num-seqs\": 8}.");
    public static readonly Setting Model = new("model", null, "Checkpoint folder or file; the model that comes with the program when left out.");
    public static readonly Setting ServedModelName = new("served-model-name", null, "Names that requests may use for the model.") { IsList = true };
    public static readonly Setting Host = new("host", "127.0.0.1", "Address to listen on; 0.0.0.0 for all.");
    public static readonly Setting Port = new("port", "8080", "Port to listen on; 0 takes a free one.");
    public static readonly Setting Device = new("device", "auto", "auto, cpu, cuda, cuda:N or reference; auto is the first GPU, or the CPU where there is none.");
    public static readonly Setting EnforceEager =
        new("enforce-eager", "false", "Launch the work of every step on a GPU kernel by kernel, never as a CUDA graph.") { IsSwitch = true };
    public static readonly Setting CpuKernels = new("cpu-kernels", "auto", "Instructions of the CPU device: auto (the best there are), avx512, avx2 or portable.");
    public static readonly Setting Dtype = new("dtype", "auto", "Type of weights and arithmetic: auto, float32 or bfloat16.");
    public static readonly Setting ActivationDtype = new("activation-dtype", "auto",
        "How far products may round their inputs: float32 (not at all), int16 (against Q4_0, Q4_1 and Q8_0 weights), bfloat16 (against bfloat16 weights too), int8 (8 bits instead of 16, as llama.cpp does; faster and coarser); auto is int16 with AVX-512 and float32 without, or what --dtype names.");
    public static readonly Setting KvCacheDtype = new("kv-cache-dtype", "auto", "Type of cached rows: auto (bfloat16), float32, bfloat16, fp8, int8 or int4.");
    public static readonly Setting Execution =
        new("execution", "auto", "How prompts are computed over cached latents: auto (by their length), absorbed or expanded.");
    public static readonly Setting KvCacheMemoryBytes = new("kv-cache-memory-bytes", null, "Memory of the cache, as 2147483648, 512MiB or 2G.");
    public static readonly Setting BlockSize = new("block-size", null, "Tokens in a block of the cache.");
    public static readonly Setting SnapshotTokens =
        new("snapshot-tokens", null, "Tokens from one kept state of a prompt to the next, 1024 when left out; for models whose layers keep states.");
    public static readonly Setting SnapshotMemoryBytes =
        new("snapshot-memory-bytes", null, "Memory of the cache that kept states may take, an eighth of it when left out; 0 keeps none.");
    public static readonly Setting SwapMemoryBytes = new("swap-memory-bytes", null,
        "Host memory for the cached rows of sequences that have to give theirs up, none when left out: they are copied back instead of computed again where that takes less time.");
    public static readonly Setting MaxNumSeqs = new("max-num-seqs", null, "Most sequences that run at once.");
    public static readonly Setting MaxNumBatchedTokens = new("max-num-batched-tokens", null, "Most tokens computed in one step.");
    public static readonly Setting PromptStepMs = new("prompt-step-ms", "250",
        "Time that a step with prompts should take while answers are generated beside them: prompts are cut by the speed that was measured, to 64 tokens at least.");
    public static readonly Setting MaxModelLen = new("max-model-len", null, "Most tokens of prompt and answer together.");
    public static readonly Setting MaxQueuedRequests = new("max-queued-requests", null, "Requests that may wait, 4096 when left out; callers with keys share them evenly.");
    public static readonly Setting MaxQueuedTokens = new("max-queued-tokens", null, "Prompt tokens that may wait, 8388608 when left out.");
    public static readonly Setting MaxQueueSeconds = new("max-queue-seconds", null, "Longest that a request may be expected to wait, 60 when left out; else it is refused with 429.");
    public static readonly Setting RequestTimeoutSeconds =
        new("request-timeout-seconds", null, "Longest that a request may take; clients may ask for less with the header x-request-timeout-ms.");
    public static readonly Setting EnablePrefixCaching = new("enable-prefix-caching", "true", "Share computed prefixes among requests.") { IsSwitch = true };
    public static readonly Setting SpeculativeConfig = new("speculative-config", null,
        "Guesses ahead, which never change an answer: {\"method\": \"ngram\", \"num_speculative_tokens\": 4, \"prompt_lookup_max\": 5, \"prompt_lookup_min\": 2, \"disable_by_batch_size\": 8}, or {\"method\": \"draft_model\", \"model\": PATH, \"num_speculative_tokens\": 4}.");
    public static readonly Setting NumSpeculativeTokens = new("num-speculative-tokens", null, "Tokens guessed ahead in a step, if requests do not say; the same as in --speculative-config.");
    public static readonly Setting SpeculativeModel = new("speculative-model", null, "Checkpoint of a smaller model with the same vocabulary that guesses; the same as 'model' in --speculative-config.");
    public static readonly Setting ChatTemplate = new("chat-template", null, "File of a chat template that replaces the checkpoint's own.");
    public static readonly Setting GenerationConfig = new("generation-config", "auto", "Sampling defaults: auto (the checkpoint's) or none.");
    public static readonly Setting MaxLogprobs = new("max-logprobs", "20", "Most alternatives that a request may ask for.");
    public static readonly Setting MaxChoices = new("max-choices", "128", "Most choices (n, best_of) that a request may ask for.");
    public static readonly Setting Pooling = new("pooling", "last", "Hidden state that is an input's embedding: last or mean.");
    public static readonly Setting ShortenEmbeddings =
        new("shorten-embeddings", "false", "Serve 'dimensions': the model was trained for cut embeddings (Matryoshka).") { IsSwitch = true };
    public static readonly Setting Threads = new("threads", null, "Threads of the CPU device; all cores when left out.");
    public static readonly Setting PinThreads =
        new("pin-threads", "false", "Keep each thread of the CPU device on a processor of its own; for a machine that does little else.") { IsSwitch = true };
    public static readonly Setting Seed = new("seed", null, "Makes the seeds of requests that bring none reproducible.");
    public static readonly Setting ApiKey = new("api-key", null, "Keys that requests must bring one of.") { IsList = true };
    public static readonly Setting GuardMetrics = new("guard-metrics", "false", "Ask for a key at /metrics too.") { IsSwitch = true };
    public static readonly Setting ApiKeyFile =
        new("api-key-file", null, "File of further keys, one a line, plain or as sha256:HEX, with the paths that it opens where that is not all; read anew when it changes.");
    public static readonly Setting SharePrefixes =
        new("share-prefixes", "false", "Let computed prefixes of one key's requests serve another's.") { IsSwitch = true };
    public static readonly Setting SslCertfile = new("ssl-certfile", null, "PEM file of the server's certificate; turns TLS on.");
    public static readonly Setting SslKeyfile = new("ssl-keyfile", null, "PEM file of the certificate's key, where that is not in the same file.");
    public static readonly Setting SslCaCerts = new("ssl-ca-certs", null, "PEM file of roots that clients' certificates must come from.");
    public static readonly Setting SslCertReqs =
        new("ssl-cert-reqs", "2", "Whether clients must show a certificate when --ssl-ca-certs is given: 0 never, 1 if they have one, 2 always.");
    public static readonly Setting AllowedOrigins =
        new("allowed-origins", null, "Origins whose pages may call from a browser (CORS); none when left out.") { IsList = true };
    public static readonly Setting StrictParameters = new("strict-parameters", "false", "Refuse unknown request fields.") { IsSwitch = true };
    public static readonly Setting ClampMaxTokens = new("clamp-max-tokens", "false", "Shorten answers that would not fit the context.") { IsSwitch = true };
    public static readonly Setting ParseSpecialInContent =
        new("parse-special-in-content", "false", "Let special tokens spelled in messages act as such.") { IsSwitch = true };
    public static readonly Setting MaxRequestBytes = new("max-request-bytes", "32MiB", "Largest request body.");
    public static readonly Setting UnreadSeconds = new("unread-seconds", "30", "How long a client may leave a full stream unread before it is cut off.");
    public static readonly Setting DrainSeconds = new("drain-seconds", "30", "How long running requests may go on after a request to stop.");
    public static readonly Setting StallSeconds = new("stall-seconds", "4", "How long a step may take, while work waits, before the server says it is not ready.");
    public static readonly Setting OtlpEndpoint = new("otlp-endpoint", null,
        "Address of an OpenTelemetry collector, such as http://127.0.0.1:4318, that metrics and spans are pushed to; OTEL_EXPORTER_OTLP_ENDPOINT and its like say the rest.");
    public static readonly Setting LogLevel = new("log-level", "info", "trace, debug, info, warning, error or critical.");

    /// <summary>What the engine is built with, whichever command builds it.</summary>
    public static readonly Setting[] OfEngine =
        [Device, EnforceEager, CpuKernels, Dtype, ActivationDtype, KvCacheDtype, Execution, KvCacheMemoryBytes, BlockSize, SnapshotTokens, SnapshotMemoryBytes, SwapMemoryBytes, MaxNumSeqs, MaxNumBatchedTokens, PromptStepMs, MaxModelLen, Threads, PinThreads,
            SpeculativeConfig, SpeculativeModel, NumSpeculativeTokens];

    public static readonly Setting[] All =
    [
        Config, Model, ServedModelName, Host, Port, .. OfEngine, EnablePrefixCaching, ChatTemplate, GenerationConfig, MaxLogprobs, MaxChoices, Seed,
        Pooling, ShortenEmbeddings, ApiKey, ApiKeyFile, SharePrefixes, SslCertfile, SslKeyfile, SslCaCerts, SslCertReqs,
        AllowedOrigins, GuardMetrics, StrictParameters, ClampMaxTokens, ParseSpecialInContent, MaxRequestBytes,
        MaxQueuedRequests, MaxQueuedTokens, MaxQueueSeconds, RequestTimeoutSeconds, UnreadSeconds, DrainSeconds, StallSeconds, OtlpEndpoint, LogLevel,
    ];

    /// <summary>vLLM's flags for what this server does not do, with the one value that asks for nothing.</summary>
    static readonly (string Name, string? Harmless, string Why)[] NotServed =
    [
        ("tensor-parallel-size", "1", "The model runs on one device; leave it out or set it to 1."),
        ("pipeline-parallel-size", "1", "The model runs on one device; leave it out or set it to 1."),
        ("data-parallel-size", "1", "One server holds one copy of the model; start several servers behind a balancer."),
        ("enable-lora", null, "Adapters are not served; merge the adapter into the checkpoint first."),
        ("lora-modules", null, "Adapters are not served; merge the adapter into the checkpoint first."),
        ("limit-mm-per-prompt", null, "Prompts are text; images and audio are not served."),
        ("quantization", null, "The checkpoint says how its weights are stored; leave it out."),
        ("trust-remote-code", null, "Code that comes with a checkpoint is never run; leave it out."),
    ];

    public static Setting? Find(string name) => Array.Find(All, s => s.Name == name.Replace('_', '-'));

    /// <summary>Why a flag of vLLM's is not served; null where it is unknown, or harmless with this value.</summary>
    public static string? Refusal(string name, string? value) =>
        Array.Find(NotServed, n => n.Name == name) is { Name: not null } found && (found.Harmless is null || found.Harmless != value)
            ? $"--{name} is not served. {found.Why}"
            : null;

    public static bool IsHarmless(string name, string? value) =>
        Array.Exists(NotServed, n => n.Name == name && n.Harmless is not null && n.Harmless == value);

    /// <summary>The known name nearest to an unknown one, where one is near.</summary>
    public static string? Nearest(string name, IEnumerable<string> known)
    {
        var (best, distance) = known.Select(k => (k, Distance(name, k))).MinBy(pair => pair.Item2);
        return distance <= Math.Max(2, name.Length / 3) ? best : null;
    }

    /// <summary>Fewest insertions, deletions and changes of a letter that lead from one word to another.</summary>
    static int Distance(string from, string to)
    {
        var row = Enumerable.Range(0, to.Length + 1).ToArray();
        foreach (var letter in from)
        {
            var diagonal = row[0]++;
            for (var i = 1; i <= to.Length; i++)
                (diagonal, row[i]) = (row[i], Math.Min(Math.Min(row[i], row[i - 1]) + 1, diagonal + (letter == to[i - 1] ? 0 : 1)));
        }
        return row[^1];
    }
}
