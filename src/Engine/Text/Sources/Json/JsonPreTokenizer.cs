using System.Text.Json;

namespace Serving.Text;

/// <summary>The <c>pre_tokenizer</c> of a tokenizer.json.</summary>
sealed record JsonPreTokenizer
{
    const string Known = "ByteLevel, Split, Digits, Metaspace and Sequence";

    public bool ByteLevel { get; private set; }
    public Rewriter? Before { get; private set; }
    public List<Splitter> Splitters { get; } = [];

    public static JsonPreTokenizer Read(JsonElement? section)
    {
        var result = new JsonPreTokenizer();
        foreach (var (step, where) in JsonSections.Flatten(section, "pre_tokenizer", "pretokenizers"))
        {
            if (result.ByteLevel)
                throw new InvalidDataException($"tokenizer.json: {where} comes after ByteLevel, which must be the last step.");
            result.Add(step, where);
        }
        return result;
    }

    void Add(JsonElement step, string where)
    {
        switch (JsonSections.Type(step, where))
        {
            case "ByteLevel":
                AddByteLevel(step, where);
                break;
            case "Digits":
                JsonSections.Only(step, where, "individual_digits");
                Splitters.Add(new DigitScanner(JsonSections.Flag(step, "individual_digits", false, where) ? 1 : int.MaxValue));
                break;
            case "Split":
                JsonSections.Only(step, where, "pattern", "behavior", "invert");
                Splitters.Add(ReadSplit(JsonSections.Get(step, "pattern", where), Behavior(step, where), where));
                break;
            case "Metaspace":
                AddMetaspace(step, where);
                break;
            case var type:
                throw JsonSections.Refuse(where, type, Known);
        }
    }

    static Splitter ReadSplit(JsonElement pattern, SplitBehavior behavior, string where)
    {
        if (pattern.ValueKind == JsonValueKind.Object && pattern.TryGetProperty("Regex", out var regex))
            return Splits.ByExpression(JsonSections.Text(regex, $"{where}.pattern.Regex"), behavior, $"tokenizer.json: {where}");
        if (pattern.ValueKind == JsonValueKind.Object && pattern.TryGetProperty("String", out var text) && JsonSections.Text(text, where) is { Length: > 0 } exact)
            return Splits.ByString(exact, behavior, $"tokenizer.json: {where}");
        throw new InvalidDataException($"tokenizer.json: {where}.pattern is {JsonSections.Short(pattern)}; a 'Regex' or a 'String' was expected.");
    }

    void AddByteLevel(JsonElement step, string where)
    {
        JsonSections.Only(step, where, "add_prefix_space", "trim_offsets", "use_regex");
        ByteLevel = true;
        if (JsonSections.Flag(step, "add_prefix_space", true, where))
            Rewrite(new PrefixSpace(), where);
        if (JsonSections.Flag(step, "use_regex", true, where))
            Splitters.Add(new Gpt2Scanner());
    }

    void AddMetaspace(JsonElement step, string where)
    {
        JsonSections.Only(step, where, "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep");
        var scheme = PrependScheme(step, where);
        Rewrite(new Metaspace(CheckMark(step, where), scheme == "always", scheme == "first"), where);
        if (JsonSections.Flag(step, "split", true, where))
            Splitters.Add(new MarkScanner('\u2581', runs: false));
    }

    void Rewrite(Rewriter rewriter, string where)
    {
        if (Splitters.Count > 0 || Before is not null)
            throw new InvalidDataException($"tokenizer.json: {where} adds a space to pieces that an earlier step cut, which is not supported.");
        Before = rewriter;
    }

    public static char CheckMark(JsonElement step, string where) =>
        JsonSections.Text(JsonSections.Get(step, "replacement", where), where) is "\u2581" ? '\u2581'
        : throw new InvalidDataException($"tokenizer.json: {where}.replacement is not U+2581, the only space mark known here.");

    public static string PrependScheme(JsonElement step, string where)
    {
        if (!step.TryGetProperty("prepend_scheme", out var value))
            return JsonSections.Flag(step, "add_prefix_space", true, where) ? "always" : "never";
        return JsonSections.Text(value, where) is "always" or "first" or "never" ? value.GetString()!
            : throw new InvalidDataException($"tokenizer.json: {where}.prepend_scheme is {JsonSections.Short(value)}; always, first or never was expected.");
    }

    static SplitBehavior Behavior(JsonElement step, string where)
    {
        var name = JsonSections.Text(JsonSections.Get(step, "behavior", where), $"{where}.behavior");
        if (!Enum.TryParse<SplitKind>(name, out var kind) || !Enum.IsDefined(kind))
            throw new InvalidDataException($"tokenizer.json: {where}.behavior is '{name}'; known are {string.Join(", ", Enum.GetNames<SplitKind>())}.");
        return new(kind, JsonSections.Flag(step, "invert", false, where));
    }
}
