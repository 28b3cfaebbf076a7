using System.Text.Json;
using System.Text.Unicode;

namespace Serving.Model;

/// <summary>Reads JSON that nobody vouches for: limited in size and depth, no key twice, errors with file, line and column.</summary>
static class JsonFile
{
    const int DeepestNesting = 32;
    const int LongestQuote = 120;

    static readonly JsonDocumentOptions Options = new() { MaxDepth = DeepestNesting, AllowDuplicateProperties = false };

    /// <summary>The object that a file of at most <paramref name="mostBytes"/> holds.</summary>
    public static JsonElement ReadObject(string path, long mostBytes = 16 << 20)
    {
        using var file = MappedFile.Open(path);
        if (file.Length > mostBytes)
            throw new CheckpointException($"{path} has {file.Length} bytes; at most {mostBytes} are read as JSON.");
        return ParseObject(file.Bytes(0, (int)file.Length), path);
    }

    /// <summary>A value that the program itself writes.</summary>
    public static JsonElement Constant(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    /// <summary>A value as it stands in the file, cut where it is too long for a message.</summary>
    public static string Quote(JsonElement value) =>
        value.GetRawText() is { Length: > LongestQuote } text ? text[..LongestQuote] + "…" : value.GetRawText();

    /// <summary>The object in <paramref name="utf8"/>; <paramref name="source"/> names it in errors.</summary>
    public static JsonElement ParseObject(ReadOnlySpan<byte> utf8, string source)
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        try
        {
            using var document = JsonDocument.Parse(utf8.StartsWith(mark) ? utf8[3..].ToArray() : utf8.ToArray(), Options);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new CheckpointException($"{source}: a JSON object is expected, not {document.RootElement.ValueKind}.");
            if (!Utf8.IsValid(utf8) || utf8.IndexOf("\\u"u8) >= 0)
                ReadTexts(document.RootElement);
            return document.RootElement.Clone();
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new CheckpointException($"{source}: not valid JSON: {error.Message}", error);
        }
    }

    // Half a surrogate pair or broken UTF-8 passes the parser and fails when it is read: better here than anywhere later.
    static void ReadTexts(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String)
            _ = value.GetString();
        else if (value.ValueKind == JsonValueKind.Array)
            foreach (var item in value.EnumerateArray())
                ReadTexts(item);
        else if (value.ValueKind == JsonValueKind.Object)
            foreach (var property in value.EnumerateObject())
            {
                _ = property.Name;
                ReadTexts(property.Value);
            }
    }
}
