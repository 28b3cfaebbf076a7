using System.Text.Json;

namespace Serving.Text;

/// <summary>Makes a tokenizer of a Hugging Face <c>tokenizer.json</c>.</summary>
/// <remarks><c>truncation</c> and <c>padding</c> are left aside on purpose: the publishing library replaces both with what each call asks for.</remarks>
static class JsonTokenizer
{
    public static Tokenizer Load(ReadOnlySpan<byte> tokenizer, ReadOnlySpan<byte> configuration)
    {
        try
        {
            return new(Read(tokenizer, configuration));
        }
        // The reader says so of text that is no valid UTF-8 or UTF-16.
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"tokenizer.json is not JSON as expected: {error.Message}", error);
        }
    }

    static TokenizerParts Read(ReadOnlySpan<byte> tokenizer, ReadOnlySpan<byte> configuration)
    {
        if (tokenizer.StartsWith("\uFEFF"u8))
            tokenizer = tokenizer[3..];
        var reader = new Utf8JsonReader(tokenizer, new JsonReaderOptions { MaxDepth = 64 });
        var model = default(JsonModel);
        var found = false;
        var sections = new Dictionary<string, JsonElement>();
        reader.Read();
        JsonModel.Expect(reader, JsonTokenType.StartObject, "tokenizer.json");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (name == "model" && !found)
            {
                model = JsonModel.Read(ref reader, tokenizer);
                found = true;
            }
            else if (!sections.TryAdd(name, JsonElement.ParseValue(ref reader)))
                throw new InvalidDataException($"tokenizer.json has '{name}' twice.");
        }
        foreach (var name in sections.Keys)
            if (name is not ("version" or "truncation" or "padding" or "added_tokens" or "normalizer" or "pre_tokenizer" or "post_processor" or "decoder"))
                throw new InvalidDataException($"tokenizer.json has a section '{name}', which is not known here.");
        return found ? JsonAssembly.Assemble(model, sections, configuration) : throw new InvalidDataException("tokenizer.json has no 'model'.");
    }
}
