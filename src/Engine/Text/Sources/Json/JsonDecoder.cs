using System.Text.Json;

namespace Serving.Text;

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
