using System.Text.Json;

namespace Serving.Text;

/// <summary>The tokens that a <c>tokenizer_config.json</c> names for the ends of a text. Its <c>add_bos_token</c> is left aside: tokenizer.json's own post-processor decides.</summary>
static class JsonConfiguration
{
    public static EndTokens Read(ReadOnlySpan<byte> configuration, Vocabulary vocabulary)
    {
        if (configuration.IsEmpty)
            return default;
        if (configuration.StartsWith("\uFEFF"u8))
            configuration = configuration[3..];
        var reader = new Utf8JsonReader(configuration, new JsonReaderOptions { MaxDepth = 64 });
        var root = JsonElement.ParseValue(ref reader);
        if (root.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException("tokenizer_config.json is not an object.");
        return new(Token(root, "bos_token", vocabulary), Token(root, "eos_token", vocabulary), Token(root, "eot_token", vocabulary), null, Token(root, "pad_token", vocabulary));
    }

    static int? Token(JsonElement root, string name, Vocabulary vocabulary)
    {
        if (!root.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty("content", out var content))
            value = content;
        if (value.ValueKind != JsonValueKind.String)
            throw new InvalidDataException($"tokenizer_config.json: {name} is {JsonSections.Short(value)}; a token was expected.");
        return vocabulary.Find(value.GetString()!) is var id and >= 0 ? id
            : throw new InvalidDataException($"tokenizer_config.json: {name} is '{value.GetString()}', which is not in the vocabulary.");
    }
}
