using System.Text.Json;

namespace Serving.Text;

/// <summary>Puts a tokenizer together from the model and the sections of a tokenizer.json.</summary>
static class JsonAssembly
{
    public static TokenizerParts Assemble(in JsonModel model, Dictionary<string, JsonElement> sections, ReadOnlySpan<byte> configuration)
    {
        var added = JsonAddedTokens.Read(Section(sections, "added_tokens"), model.Tokens);
        var vocabulary = model.Tokens.Build();
        var words = JsonPreTokenizer.Read(Section(sections, "pre_tokenizer"));
        var (prefix, suffix) = JsonPostProcessor.Read(Section(sections, "post_processor"), vocabulary);
        if (model.FallsBackToBytes)
            MarkBytes(vocabulary);
        return new()
        {
            Vocabulary = vocabulary,
            DecodeRules = JsonDecoder.Read(Section(sections, "decoder")),
            Model = new RankedMerges(vocabulary, model.ReadMerges(vocabulary), Options(model, vocabulary, words.ByteLevel)),
            Raw = new(added.Where(a => !a.Normalized).Select(a => a.Token)),
            Normalized = new(added.Where(a => a.Normalized).Select(a => a.Token)),
            Normalizers = JsonNormalizer.Read(Section(sections, "normalizer")),
            BeforeWords = words.Before,
            Splitters = [.. words.Splitters, .. SpaceMarks(vocabulary, words)],
            Prefix = prefix,
            Suffix = suffix,
            Ends = JsonConfiguration.Read(configuration, vocabulary),
        };
    }

    // Without a pre-tokenizer the whole text is one word; cutting it where no token reaches across changes no id.
    static Splitter[] SpaceMarks(Vocabulary vocabulary, JsonPreTokenizer words) =>
        words is { ByteLevel: false, Splitters: [] } ? SpaceMark.SafeCuts(vocabulary) : [];

    static MergeOptions Options(in JsonModel model, Vocabulary vocabulary, bool byteLevel)
    {
        int? unknown = null;
        if (model.UnknownToken is { } token)
        {
            var id = vocabulary.Find(token);
            if (id < 0)
                throw new InvalidDataException($"tokenizer.json: model.unk_token is '{token}', which is not in the vocabulary.");
            if (vocabulary.Kind(id) is TokenKind.Normal)
                vocabulary.SetKind(id, TokenKind.Unknown);
            unknown = id;
        }
        return new(byteLevel, model.FallsBackToBytes && !byteLevel, model.IgnoresMerges, unknown, model.FusesUnknown);
    }

    static void MarkBytes(Vocabulary vocabulary)
    {
        for (var b = 0; b < 256; b++)
            if (ByteTokens.Find(vocabulary, (byte)b) is var id and >= 0)
                vocabulary.SetKind(id, TokenKind.Byte);
    }

    static JsonElement? Section(Dictionary<string, JsonElement> sections, string name) =>
        sections.TryGetValue(name, out var section) && section.ValueKind != JsonValueKind.Null ? section : null;
}
