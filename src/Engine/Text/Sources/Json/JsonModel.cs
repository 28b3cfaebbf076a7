using System.Text;
using System.Text.Json;

namespace Serving.Text;

/// <summary>The <c>model</c> of a tokenizer.json as read: a BPE vocabulary, and the bytes of its merges, which are read once all tokens are known.</summary>
ref struct JsonModel
{
    static readonly string[] MustBeUnset = ["dropout", "continuing_subword_prefix", "end_of_word_suffix"];

    Vocabulary.Builder? _tokens;

    /// <summary>The JSON array of merges.</summary>
    public ReadOnlySpan<byte> Merges { get; private set; }

    public string? UnknownToken { get; private set; }
    public bool FusesUnknown { get; private set; }
    public bool FallsBackToBytes { get; private set; }
    public bool IgnoresMerges { get; private set; }

    public readonly Vocabulary.Builder Tokens =>
        _tokens ?? throw new InvalidDataException("tokenizer.json: 'model' has no 'vocab'.");

    /// <summary>Reads the model at which the reader of <paramref name="file"/> stands.</summary>
    public static JsonModel Read(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> file)
    {
        var model = new JsonModel();
        Expect(reader, JsonTokenType.StartObject, "model");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            model.ReadProperty(name, ref reader, file);
        }
        return model;
    }

    public static void Expect(in Utf8JsonReader reader, JsonTokenType type, string where)
    {
        if (reader.TokenType != type)
            throw new InvalidDataException($"tokenizer.json: '{where}' is {reader.TokenType} at byte {reader.TokenStartIndex}; {type} was expected.");
    }

    void ReadProperty(string name, scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> file)
    {
        if (name == "vocab")
        {
            ReadVocabulary(ref reader, file.Length);
            return;
        }
        if (name == "merges")
        {
            Expect(reader, JsonTokenType.StartArray, "model.merges");
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            Merges = file[start..(int)reader.BytesConsumed];
            return;
        }
        var value = JsonElement.ParseValue(ref reader);
        switch (name)
        {
            case "type" when value.ValueKind == JsonValueKind.String && value.GetString() == "BPE":
                break;
            case "unk_token":
                UnknownToken = value.ValueKind == JsonValueKind.Null ? null : JsonSections.Text(value, "model.unk_token");
                break;
            case "fuse_unk":
                FusesUnknown = JsonSections.Flag(value, "model.fuse_unk");
                break;
            case "byte_fallback":
                FallsBackToBytes = JsonSections.Flag(value, "model.byte_fallback");
                break;
            case "ignore_merges":
                IgnoresMerges = JsonSections.Flag(value, "model.ignore_merges");
                break;
            case var _ when MustBeUnset.Contains(name) && value.ValueKind is JsonValueKind.Null
                || value.ValueKind is JsonValueKind.String && value.GetString() == ""
                || value.ValueKind is JsonValueKind.Number && value.GetDouble() == 0:
                break;
            default:
                throw new InvalidDataException($"tokenizer.json: model.{name} is {JsonSections.Short(value)}, which is not understood; the model must be plain BPE.");
        }
    }

    void ReadVocabulary(scoped ref Utf8JsonReader reader, int fileLength)
    {
        Expect(reader, JsonTokenType.StartObject, "model.vocab");
        _tokens = new(Math.Min(fileLength / 16, 1 << 18));
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var length = reader.CopyString(_tokens.Room(reader.ValueSpan.Length));
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out var id))
                throw new InvalidDataException($"tokenizer.json: model.vocab has no whole number as the id at byte {reader.TokenStartIndex}.");
            _tokens.Add(id, length, TokenKind.Normal);
        }
    }

    /// <summary>Reads the merges, written as strings or as pairs.</summary>
    public readonly PairTable ReadMerges(Vocabulary vocabulary)
    {
        if (Merges.IsEmpty)
            throw new InvalidDataException("tokenizer.json: 'model' has no 'merges'.");
        var reader = new Utf8JsonReader(Merges);
        var merges = new MergeList(vocabulary, Merges.Count((byte)','));
        Span<byte> left = stackalloc byte[1024], right = stackalloc byte[1024];
        reader.Read();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartArray)
            {
                merges.Add(left[..Copy(ref reader, left)]);
                continue;
            }
            reader.Read();
            var first = left[..Copy(ref reader, left)];
            reader.Read();
            merges.Add(first, right[..Copy(ref reader, right)]);
            reader.Read();
            Expect(reader, JsonTokenType.EndArray, "model.merges");
        }
        return merges.Pairs;
    }

    static int Copy(scoped ref Utf8JsonReader reader, scoped Span<byte> room)
    {
        Expect(reader, JsonTokenType.String, "model.merges");
        if (reader.ValueSpan.Length > room.Length)
            throw new InvalidDataException($"tokenizer.json: a merge of {reader.ValueSpan.Length} bytes in model.merges; at most {room.Length} are read.");
        return reader.CopyString(room);
    }
}
