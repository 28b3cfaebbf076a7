using System.Collections.Immutable;
using System.Globalization;

namespace Serving.Model;

/// <summary>What the model's text side is made from, wherever the published files keep it. A checkpoint may have none of it.</summary>
public sealed record TextSources
{
    /// <summary>The template used when a request names none.</summary>
    public const string DefaultTemplate = "default";

    /// <summary>The path of tokenizer.json, or null.</summary>
    public string? TokenizerJson { get; init; }

    /// <summary>The path of tokenizer.model (SentencePiece), or null.</summary>
    public string? SentencePiece { get; init; }

    /// <summary>The metadata that holds a GGUF vocabulary (tokenizer.ggml.*), or null.</summary>
    public GgufMetadata? Vocabulary { get; init; }

    /// <summary>tokenizer_config.json, or null.</summary>
    public ModelConfig? TokenizerConfig { get; init; }

    /// <summary>Chat templates by name; the main one is <see cref="DefaultTemplate"/>.</summary>
    public IReadOnlyDictionary<string, string> ChatTemplates { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>What the model's authors recommend for sampling.</summary>
    public GenerationDefaults Generation { get; init; } = new();

    /// <summary>The ids that end an answer, of all files that name some, sorted.</summary>
    public ImmutableArray<int> StopIds { get; init; } = [];

    /// <summary>End tokens that are named by text alone: the vocabulary knows their ids.</summary>
    public ImmutableArray<string> StopTokens { get; init; } = [];

    /// <summary>Whether there is anything to make a tokenizer from.</summary>
    public bool HasTokenizer => TokenizerJson is not null || SentencePiece is not null || Vocabulary is not null;

    internal static TextSources FromFolder(string folder, ModelConfig config)
    {
        var tokenizer = Read(folder, "tokenizer_config.json");
        var generation = Read(folder, "generation_config.json");
        var (named, text) = EndToken(tokenizer);
        return new()
        {
            TokenizerJson = Existing(folder, "tokenizer.json"),
            SentencePiece = Existing(folder, "tokenizer.model"),
            TokenizerConfig = tokenizer,
            ChatTemplates = TemplateFiles.Find(folder, tokenizer),
            Generation = generation is null ? new() : GenerationDefaults.Read(generation),
            StopIds = Sorted([.. Ids(generation), .. Ids(config), .. Ids(config.TextPart), .. named]),
            StopTokens = text is null ? [] : [text],
        };
    }

    internal static TextSources FromGguf(GgufMetadata metadata) => new()
    {
        Vocabulary = metadata.Has("tokenizer.ggml.tokens") ? metadata : null,
        ChatTemplates = TemplateFiles.Find(metadata),
        StopIds = Sorted(((string[])["eos", "eot", "eom"]).Select(name => metadata.Int($"tokenizer.ggml.{name}_token_id")).OfType<long>()),
    };

    // An id beyond 31 bits is never sampled.
    static ImmutableArray<int> Sorted(IEnumerable<long> ids) =>
        [.. ids.Where(id => id is >= 0 and <= int.MaxValue).Distinct().Order().Select(id => (int)id)];

    static string? Existing(string folder, string name) => Path.Combine(folder, name) is var path && File.Exists(path) ? path : null;

    static ModelConfig? Read(string folder, string name) =>
        Existing(folder, name) is { } path ? new(JsonFile.ReadObject(path), path) : null;

    static IEnumerable<long> Ids(ModelConfig? config)
    {
        const string Key = "eos_token_id";
        if (config is null || !config.Has(Key))
            return [];
        return config.IsList(Key) ? config.Ints(Key)!.Select(id => (long)id) : [config.Int(Key)];
    }

    // eos_token is a text or an object with content; added_tokens_decoder maps ids to such objects.
    static (IEnumerable<long> Ids, string? Text) EndToken(ModelConfig? tokenizer)
    {
        if (tokenizer is null || !tokenizer.Has("eos_token"))
            return ([], null);
        var text = tokenizer.IsText("eos_token") ? tokenizer.Text("eos_token") : tokenizer.Object("eos_token").Text("content");
        var added = tokenizer.ObjectOrNull("added_tokens_decoder");
        var id = added?.Keys.FirstOrDefault(key => added.Object(key).TextOrNull("content") == text);
        return long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? ([number], null) : ([], text);
    }
}
