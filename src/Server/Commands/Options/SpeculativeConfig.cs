using System.Text.Json;
using Serving.Scheduling.Drafting;

namespace Serving.Server.Commands;

/// <summary>How answers are guessed ahead, as vLLM's option of that name says it, or by options of their own.</summary>
static class SpeculativeConfig
{
    static readonly string[] Keys = ["method", "num_speculative_tokens", "prompt_lookup_max", "prompt_lookup_min", "disable_by_batch_size"];

    /// <summary>What the settings ask for; null for no guesses but those that requests ask for.</summary>
    public static DraftOptions? From(SettingReader read)
    {
        var (json, tokens) = (read.Text(Settings.SpeculativeConfig), read.Integer(Settings.NumSpeculativeTokens, 0, DraftOptions.MostTokens));
        if (json is null) return tokens is { } plain ? new(plain) : null;
        try
        {
            using var document = JsonDocument.Parse(json);
            return Read(document.RootElement, tokens);
        }
        catch (JsonException error)
        {
            throw new SettingException($"--speculative-config is not JSON: line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}.");
        }
    }

    static DraftOptions Read(JsonElement config, int? tokens)
    {
        if (config.ValueKind != JsonValueKind.Object) throw Wrong("a JSON object", config);
        foreach (var member in config.EnumerateObject())
            if (!Keys.Contains(member.Name))
                throw new SettingException($"--speculative-config names '{member.Name}'; it may hold {string.Join(", ", Keys)}.");
        if (config.TryGetProperty("method", out var method) && (method.ValueKind != JsonValueKind.String || method.GetString() != "ngram"))
            throw Wrong("'method' as \"ngram\"", method);
        var count = Number(config, "num_speculative_tokens") ?? tokens
            ?? throw new SettingException("--speculative-config lacks num_speculative_tokens, the tokens to be guessed in a step.");
        var options = new DraftOptions(count).With(count, Number(config, "prompt_lookup_min"), Number(config, "prompt_lookup_max")) with
        {
            MostSequences = Number(config, "disable_by_batch_size") ?? int.MaxValue,
        };
        return options.Fault() is { } fault ? throw new SettingException($"--speculative-config: {fault.Message}") : options;
    }

    static int? Number(JsonElement config, string name) => !config.TryGetProperty(name, out var value) ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number
        : throw Wrong($"'{name}' as a whole number", value);

    static SettingException Wrong(string expected, JsonElement found) =>
        new($"--speculative-config must hold {expected}, not {found.GetRawText()}.");
}
