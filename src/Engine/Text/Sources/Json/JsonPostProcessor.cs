using System.Text.Json;

namespace Serving.Text;

/// <summary>The <c>post_processor</c> of a tokenizer.json: the ids it puts before and after one text.</summary>
static class JsonPostProcessor
{
    public static (int[] Prefix, int[] Suffix) Read(JsonElement? section, Vocabulary vocabulary)
    {
        List<int> prefix = [], suffix = [];
        foreach (var (step, where) in JsonSections.Flatten(section, "post_processor", "processors"))
            switch (JsonSections.Type(step, where))
            {
                case "ByteLevel":
                    break;
                case "TemplateProcessing":
                    var (before, after) = ReadTemplate(step, where, vocabulary);
                    prefix.InsertRange(0, before);
                    suffix.AddRange(after);
                    break;
                case var type:
                    throw JsonSections.Refuse(where, type, "TemplateProcessing, ByteLevel and Sequence");
            }
        return ([.. prefix], [.. suffix]);
    }

    static (List<int> Before, List<int> After) ReadTemplate(JsonElement step, string where, Vocabulary vocabulary)
    {
        List<int> before = [], after = [];
        var seen = false;
        foreach (var item in JsonSections.Items(step, "single", where))
            if (item.ValueKind == JsonValueKind.Object && item.TryGetProperty("SpecialToken", out var special))
                (seen ? after : before).AddRange(Ids(step, JsonSections.Text(JsonSections.Get(special, "id", where), where), where, vocabulary));
            else if (!seen && item.ValueKind == JsonValueKind.Object && item.TryGetProperty("Sequence", out var sequence)
                && JsonSections.Text(JsonSections.Get(sequence, "id", where), where) == "A")
                seen = true;
            else
                throw new InvalidDataException($"tokenizer.json: {where}.single has {JsonSections.Short(item)}; special tokens around one sequence 'A' are understood.");
        return seen ? (before, after) : throw new InvalidDataException($"tokenizer.json: {where}.single leaves the text out.");
    }

    static IEnumerable<int> Ids(JsonElement step, string name, string where, Vocabulary vocabulary)
    {
        var token = JsonSections.Get(JsonSections.Get(step, "special_tokens", where), name, $"{where}.special_tokens");
        foreach (var item in JsonSections.Items(token, "ids", $"{where}.special_tokens"))
        {
            var id = JsonSections.Whole(item, $"{where}.special_tokens['{name}'].ids");
            yield return vocabulary.Kind(id) is not TokenKind.Missing ? id
                : throw new InvalidDataException($"tokenizer.json: {where}.special_tokens['{name}'] names id {id}, which no token has.");
        }
    }
}
