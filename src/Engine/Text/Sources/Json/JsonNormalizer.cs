using System.Text.Json;

namespace Serving.Text;

/// <summary>The <c>normalizer</c> of a tokenizer.json.</summary>
static class JsonNormalizer
{
    public static Rewriter[] Read(JsonElement? section) =>
        [.. JsonSections.Flatten(section, "normalizer", "normalizers").Select(step => Read(step.Step, step.Where))];

    static Rewriter Read(JsonElement step, string where)
    {
        switch (JsonSections.Type(step, where))
        {
            case "NFC":
                return new Nfc();
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
