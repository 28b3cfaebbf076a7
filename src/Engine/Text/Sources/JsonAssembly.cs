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
            Words = new([.. words.Splitters]),
            Prefix = prefix,
            Suffix = suffix,
            Ends = JsonConfiguration.Read(configuration, vocabulary),
        };
    }

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

/// <summary>The <c>added_tokens</c> of a tokenizer.json.</summary>
static class JsonAddedTokens
{
    public static List<(AddedToken Token, bool Normalized)> Read(JsonElement? section, Vocabulary.Builder tokens)
    {
        var added = new List<(AddedToken, bool)>();
        if (section is not { } list)
            return added;
        if (list.ValueKind != JsonValueKind.Array)
            throw new InvalidDataException("tokenizer.json: added_tokens is not an array.");
        foreach (var item in list.EnumerateArray())
        {
            var where = $"added_tokens[{added.Count}]";
            var content = JsonSections.Text(JsonSections.Get(item, "content", where), $"{where}.content");
            JsonSections.Only(item, where, "id", "content", "single_word", "lstrip", "rstrip", "normalized", "special");
            var id = JsonSections.Whole(JsonSections.Get(item, "id", where), $"{where}.id");
            var special = JsonSections.Flag(item, "special", false, where);
            tokens.AddOrMark(id, content, special ? TokenKind.Control : TokenKind.UserDefined);
            added.Add((new(id, content, special || AddedToken.LooksLikeControl(content))
            {
                SingleWord = JsonSections.Flag(item, "single_word", false, where),
                TakesLeft = JsonSections.Flag(item, "lstrip", false, where),
                TakesRight = JsonSections.Flag(item, "rstrip", false, where),
            }, JsonSections.Flag(item, "normalized", !special, where)));
        }
        return added;
    }
}

/// <summary>The <c>decoder</c> of a tokenizer.json.</summary>
static class JsonDecoder
{
    const string Known = "ByteLevel, Metaspace, Sequence, Replace, ByteFallback, Fuse and Strip";

    public static DecodeRules Read(JsonElement? section)
    {
        var steps = JsonSections.Flatten(section, "decoder", "decoders");
        SpellingKind? spelling = null;
        var dropsFirstSpace = false;
        foreach (var (step, where) in steps)
            switch (JsonSections.Type(step, where))
            {
                case "ByteLevel":
                    spelling = SpellingKind.ByteLevel;
                    break;
                case "Metaspace":
                    JsonPreTokenizer.CheckMark(step, where);
                    spelling = SpellingKind.SpaceMark;
                    dropsFirstSpace = JsonPreTokenizer.PrependScheme(step, where) != "never";
                    break;
                case "Replace" when IsSpaceMark(step, where):
                    spelling = SpellingKind.SpaceMark;
                    break;
                case "Strip" when IsFirstSpace(step, where):
                    dropsFirstSpace = true;
                    break;
                case "ByteFallback" or "Fuse":
                    break;
                case var type:
                    throw JsonSections.Refuse(where, type, Known + " (Replace only of U+2581 by a space, Strip only of one space in front)");
            }
        return spelling is { } found ? new(found, dropsFirstSpace, found == SpellingKind.SpaceMark, ControlIsText: true)
            : throw new InvalidDataException("tokenizer.json: the decoder says neither ByteLevel nor how spaces are spelled, so tokens cannot be joined to text.");
    }

    static bool IsSpaceMark(JsonElement step, string where) =>
        JsonSections.Get(step, "pattern", where).TryGetProperty("String", out var pattern)
        && JsonSections.Text(pattern, where) == "\u2581" && JsonSections.Text(JsonSections.Get(step, "content", where), where) == " ";

    static bool IsFirstSpace(JsonElement step, string where) =>
        JsonSections.Text(JsonSections.Get(step, "content", where), where) == " "
        && JsonSections.Whole(JsonSections.Get(step, "start", where), where) == 1
        && JsonSections.Whole(JsonSections.Get(step, "stop", where), where) == 0;
}

/// <summary>The <c>normalizer</c> of a tokenizer.json.</summary>
static class JsonNormalizer
{
    public static Normalizer[] Read(JsonElement? section) =>
        [.. JsonSections.Flatten(section, "normalizer", "normalizers").Select(step => Read(step.Step, step.Where))];

    static Normalizer Read(JsonElement step, string where)
    {
        switch (JsonSections.Type(step, where))
        {
            case "Prepend":
                return new Prepend(JsonSections.Text(JsonSections.Get(step, "prepend", where), $"{where}.prepend"));
            case "Replace" when JsonSections.Get(step, "pattern", where).TryGetProperty("String", out var pattern)
                && JsonSections.Text(pattern, $"{where}.pattern") is { Length: > 0 } text:
                return new Replace(text, JsonSections.Text(JsonSections.Get(step, "content", where), $"{where}.content"));
            case var type:
                throw JsonSections.Refuse(where, type, "NFC, Sequence, Prepend and Replace of a string");
        }
    }
}
