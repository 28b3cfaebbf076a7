using System.Text.Json;
using Serving.Scheduling.Drafting;

namespace Serving.Server.Commands;

/// <summary>How answers are guessed ahead, as vLLM's option of that name says it, or by options of their own.</summary>
/// <param name="Drafting">How far; null for no guesses but those that requests ask for.</param>
/// <param name="Model">Path of the model that guesses; null for prompt look-up.</param>
sealed record SpeculativeConfig(DraftOptions? Drafting, string? Model)
{
    // What a smaller model guesses is right more often than not.
    const int TokensOfModels = 4;

    static readonly string[] Keys = ["method", "model", "num_speculative_tokens", "prompt_lookup_max", "prompt_lookup_min", "disable_by_batch_size"];

    public static SpeculativeConfig From(SettingReader read)
    {
        var (json, model) = (read.Text(Settings.SpeculativeConfig), read.Text(Settings.SpeculativeModel));
        var tokens = read.Integer(Settings.NumSpeculativeTokens, 0, DraftOptions.MostTokens) ?? (model is null ? null : TokensOfModels);
        if (json is null) return new(tokens is { } plain ? new(plain) : null, model);
        try
        {
            using var document = JsonDocument.Parse(json);
            return Read(document.RootElement, tokens, model);
        }
        catch (JsonException error)
        {
            throw new SettingException($"--speculative-config is not JSON: line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}.");
        }
    }

    static SpeculativeConfig Read(JsonElement config, int? tokens, string? model)
    {
        if (config.ValueKind != JsonValueKind.Object) throw Wrong("a JSON object", config);
        foreach (var member in config.EnumerateObject())
            if (!Keys.Contains(member.Name))
                throw new SettingException($"--speculative-config names '{member.Name}'; it may hold {string.Join(", ", Keys)}.");
        model = Text(config, "model") ?? model;
        var method = Text(config, "method") ?? (model is null ? "ngram" : "draft_model");
        if (method is not ("ngram" or "draft_model")) throw Wrong("'method' as \"ngram\" or \"draft_model\"", config.GetProperty("method"));
        if (method == "ngram" == model is not null)
            throw new SettingException(model is null ? "--speculative-config lacks 'model', the draft model's path." : "--speculative-config names a model, which the method ngram has no use for.");
        if (Number(config, "num_speculative_tokens") is { } number) tokens = number;
        var count = tokens ?? (model is null ? throw new SettingException("--speculative-config lacks num_speculative_tokens, the tokens to be guessed in a step.") : TokensOfModels);
        var options = new DraftOptions(count).With(count, Number(config, "prompt_lookup_min"), Number(config, "prompt_lookup_max")) with
        {
            MostSequences = Number(config, "disable_by_batch_size") ?? int.MaxValue,
        };
        return options.Fault() is { } fault ? throw new SettingException($"--speculative-config: {fault.Message}") : new(options, model);
    }

    static int? Number(JsonElement config, string name) => !config.TryGetProperty(name, out var value) ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number
        : throw Wrong($"'{name}' as a whole number", value);

    static string? Text(JsonElement config, string name) => !config.TryGetProperty(name, out var value) ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw Wrong($"'{name}' as a text", value);

    static SettingException Wrong(string expected, JsonElement found) =>
        new($"--speculative-config must hold {expected}, not {found.GetRawText()}.");
}
