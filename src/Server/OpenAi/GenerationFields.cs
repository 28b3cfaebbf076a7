using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using Serving.Grammar;
using Serving.Sampling;
using Serving.Scheduling;
using Serving.Scheduling.Drafting;
using Serving.Server.Http;

namespace Serving.Server.OpenAi;

/// <summary>The fields that chat and text completions share, read and checked against the model; the extensions carry vLLM's names and meanings.</summary>
sealed record GenerationFields
{
    const int MaxStops = 4;

    public required SamplingOptions Sampling { get; init; }

    public int Choices { get; init; } = 1;

    public ImmutableArray<string> Stops { get; init; } = [];

    public bool Streams { get; init; }

    public bool IncludesUsage { get; init; }

    public bool SkipsSpecial { get; init; } = true;

    /// <summary>Control tokens that are spelled out even where others are left out.</summary>
    public IReadOnlySet<int>? Shown { get; init; }

    public bool IncludesStop { get; init; }

    public bool ReturnsTokenIds { get; init; }

    /// <summary>Spell tokens in log-probabilities as <c>token_id:N</c>.</summary>
    public bool SpellsTokenIds { get; init; }

    public int? PromptLogprobs { get; init; }

    public int Priority { get; init; }

    public string CacheSalt { get; init; } = "";

    /// <summary>How the answer is guessed ahead; null for not at all.</summary>
    public DraftOptions? Drafting { get; init; }

    public string? RequestId { get; init; }

    /// <summary>What the text must be; null for free text.</summary>
    public AnswerShape? Shape { get; init; }

    /// <summary>Keep this many of the prompt's last tokens; -1 for as many as fit.</summary>
    public int? TruncatesPrompt { get; init; }

    public static GenerationFields Read(RequestReader read, ServedModel model, ServerOptions options)
    {
        read.Accept("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "length_penalty", "early_stopping");
        read.Refuse("logits_processors", "bad_words");
        if (read.Flag("use_beam_search") == true)
            throw ApiException.Unsupported(read.PathOf("use_beam_search"), "Beam search is not served; use best_of with sampling.");
        var streams = read.Flag("stream") ?? false;
        var shape = AnswerShape.Of(read);
        return new()
        {
            Sampling = Possible(ReadSampling(read, model, options)),
            Choices = read.Integer("n", 1, options.MaxChoices) ?? 1,
            Stops = ReadStops(read, model),
            Streams = streams,
            IncludesUsage = ReadStreamOptions(read, streams),
            SkipsSpecial = read.Flag("skip_special_tokens") ?? true,
            IncludesStop = read.Flag("include_stop_str_in_output") ?? false,
            ReturnsTokenIds = read.Flag("return_token_ids") ?? model.Tokenizer is null,
            SpellsTokenIds = (read.Flag("return_tokens_as_token_ids") ?? false) || model.Tokenizer is null,
            PromptLogprobs = read.Integer("prompt_logprobs", 0, options.MaxLogprobs),
            Priority = read.Integer("priority", int.MinValue) ?? 0,
            CacheSalt = read.String("cache_salt", 1024) ?? "",
            Drafting = ReadDrafting(read, options.Engine.Drafting),
            RequestId = read.String("request_id", 128),
            Shape = shape,
            TruncatesPrompt = read.Integer("truncate_prompt_tokens", -1),
        };
    }

    /// <summary>What to ask of the engine for one prompt.</summary>
    public GenerationRequest Generation(int[] prompt, int? logprobs) => new()
    {
        Prompt = ImmutableCollectionsMarshal.AsImmutableArray(prompt),
        Sampling = Sampling with { Logprobs = logprobs },
        Choices = Choices,
        PromptLogprobs = PromptLogprobs,
        Priority = Priority,
        CacheSalt = CacheSalt,
        Drafting = Drafting ?? new(0),
    };

    /// <summary>Holds a generation to a grammar, with what could leave it no token at all refused.</summary>
    public GenerationRequest Constrained(GenerationRequest generation, CompiledGrammar grammar, ServedModel model)
    {
        if (Sampling.AllowedTokenIds is not null || Sampling.MinTokens > 0)
            throw ApiException.Invalid(Sampling.MinTokens > 0 ? "min_tokens" : "allowed_token_ids", "invalid_parameter_combination",
                "'min_tokens' and 'allowed_token_ids' cannot be given together with a form that the answer must have.");
        var room = generation.MaxTokens ?? model.MaxLength - generation.Prompt.Length;
        return generation with { Constraint = () => grammar.Begin(room) };
    }

    static SamplingOptions ReadSampling(RequestReader read, ServedModel model, ServerOptions options)
    {
        var defaults = model.Defaults;
        return new()
        {
            Temperature = read.Number("temperature", 0, 2) ?? defaults.Temperature,
            TopP = read.Number("top_p", 0, 1) ?? defaults.TopP,
            TopK = read.Integer("top_k", -1) ?? defaults.TopK,
            MinP = read.Number("min_p", 0, 1) ?? defaults.MinP,
            TypicalP = read.Number("typical_p", 0, 1) ?? defaults.TypicalP,
            RepetitionPenalty = read.Number("repetition_penalty", 1e-3, 1e3) ?? defaults.RepetitionPenalty,
            PresencePenalty = read.Number("presence_penalty", -2, 2) ?? 0,
            FrequencyPenalty = read.Number("frequency_penalty", -2, 2) ?? 0,
            LogitBias = ReadBias(read, model),
            Seed = read.Long("seed") ?? model.NextSeed(),
            MinTokens = read.Integer("min_tokens", 0, model.MaxLength) ?? 0,
            IgnoreEos = read.Flag("ignore_eos") ?? false,
            StopTokenIds = [.. StopIds(read, model).Distinct()],
            AllowedTokenIds = ReadIds(read, "allowed_token_ids", 1, model) is { } allowed ? [.. allowed] : null,
        };
    }

    /// <summary>Refuses the combination that leaves no token: only stop tokens allowed, and a least length that bans them.</summary>
    static SamplingOptions Possible(SamplingOptions sampling) =>
        sampling is { MinTokens: > 0, AllowedTokenIds: { } allowed } && allowed.All(sampling.StopTokenIds.Contains)
            ? throw ApiException.Invalid("allowed_token_ids", "invalid_parameter_combination",
                "'allowed_token_ids' holds only tokens that end the answer, and 'min_tokens' forbids those at first; allow another token.")
            : sampling;

    static IEnumerable<int> StopIds(RequestReader read, ServedModel model)
    {
        var own = read.Flag("ignore_eos") == true ? [] : model.StopIds;
        return own.Concat(ReadIds(read, "stop_token_ids", 0, model) ?? []);
    }

    static IEnumerable<int>? ReadIds(RequestReader read, string name, int min, ServedModel model) =>
        read.List(name, min, model.VocabularySize)?.Select(model.TokenId);

    static ImmutableArray<string> ReadStops(RequestReader read, ServedModel model)
    {
        if (read.Find("stop") is not { } stop)
            return [];
        if (model.Tokenizer is null)
            throw ApiException.Unsupported(read.PathOf("stop"), "This model has no tokenizer, so no text can be looked for; use stop_token_ids.");
        IEnumerable<RequestValue> values = stop.IsList ? stop.AsList(0, MaxStops) : [stop];
        return [.. values.Select(value => value.AsString(maxLength: 1024) is { Length: > 0 } text ? text : throw ApiException.Invalid(
            value.Path, "empty_string", $"'{value.Path}' is empty; a stop must have at least one character."))];
    }

    static DraftOptions? ReadDrafting(RequestReader read, DraftOptions? defaults)
    {
        var (longest, shortest) = (read.Integer("prompt_lookup_max", 1, DraftOptions.MostMatched), read.Integer("prompt_lookup_min", 1, DraftOptions.MostMatched));
        if ((read.Integer("num_speculative_tokens", 0, DraftOptions.MostTokens) ?? defaults?.Tokens) is not { } tokens)
            return longest is null && shortest is null ? null : throw ApiException.Invalid(
                longest is null ? "prompt_lookup_min" : "prompt_lookup_max", "invalid_parameter_combination",
                "'prompt_lookup_min' and 'prompt_lookup_max' need 'num_speculative_tokens' beside them, as this server guesses nothing by itself.");
        var drafting = (defaults ?? new(tokens)).With(tokens, shortest, longest);
        return drafting.Fault() is { } fault ? throw ApiException.Invalid(fault.Parameter, "invalid_value", fault.Message) : drafting;
    }

    static bool ReadStreamOptions(RequestReader read, bool streams)
    {
        if (read.Object("stream_options") is not { } options)
            return false;
        if (!streams)
            throw ApiException.Invalid("stream_options", "invalid_value", "'stream_options' is only allowed when 'stream' is true.");
        options.Flag("include_obfuscation");
        return options.Flag("include_usage") ?? false;
    }

    static FrozenDictionary<int, float> ReadBias(RequestReader read, ServedModel model)
    {
        if (read.Object("logit_bias") is not { } biases)
            return FrozenDictionary<int, float>.Empty;
        var found = new Dictionary<int, float>();
        foreach (var (key, bias) in biases.Entries())
        {
            if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var id) || id >= model.VocabularySize)
                throw ApiException.Invalid("logit_bias", "invalid_value",
                    $"'logit_bias' names '{RequestValue.Shortened(key)}'; its keys are token ids from 0 to {model.VocabularySize - 1}.");
            found[id] = (float)bias.AsNumber(-100, 100);
        }
        return found.ToFrozenDictionary();
    }
}
