using System.Text.Json;

namespace Serving.Text;

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
